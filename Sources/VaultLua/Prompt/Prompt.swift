package import LuaEngine
import VaultModel

/// An interactive prompt: reads Lua line by line, runs it and shows its values.
package struct Prompt: Sendable {
    /// How a prompt looks, and what it does before its first line.
    package struct Settings: Sendable {
        /// Whether somebody types, and so wants to be prompted.
        package var isInteractive = true
        package var hasColors = false
        /// Chunks that are run first, as lines are.
        package var chunks: [String] = []
        /// A script that is run before the first line.
        package var script: ScriptRunner.Script?
        /// Whether lines are read at all.
        package var readsLines = true

        package init() {}
    }

    private let host: ScriptSession.Host
    private let interrupt: LuaInterrupt
    private let settings: Settings

    package init(_ host: ScriptSession.Host, interrupt: LuaInterrupt, _ settings: Settings) {
        self.host = host
        self.interrupt = interrupt
        self.settings = settings
    }

    /// Runs the prompt on a thread of its own until its input ends.
    ///
    /// - Parameter source: makes what lines come from, on that thread.
    /// - Returns: whether all that was run went well.
    package func run(reading source: @escaping @Sendable () -> any LineSource) async throws -> Bool {
        let (host, interrupt, settings) = (host, interrupt, settings)
        return try await LuaThread.run(interrupt: interrupt) {
            var options = LuaOptions()
            options.interrupt = interrupt
            return try ScriptRunner.withSession(options, host) { session in
                try PromptLoop(session, settings, source()).run()
            }
        }
    }
}

/// One prompt, on its Lua thread.
private final class PromptLoop: LineClient {
    private let session: ScriptSession
    private let settings: Prompt.Settings
    private let source: any LineSource
    private let library: LuaReference
    /// By which text goes through the stream that Lua's own functions write to, so that everything keeps its order.
    private let (output, flushing): (LuaValue, LuaValue)
    private var isWell = true
    /// Whether EXIT was typed.
    private var isOver = false

    private static let (first, next) = ("vault>", "   ..>")

    init(_ session: ScriptSession, _ settings: Prompt.Settings, _ source: any LineSource) throws {
        self.session = session
        self.settings = settings
        self.source = source
        session.state.areWarningsOn = true
        library = try PromptLibrary.install(session)
        (output, flushing) = (try session.state.get(library, "write"), try session.state.get(library, "flush"))
    }

    private var state: LuaState { session.state }

    // MARK: The loop

    func run() throws -> Bool {
        try state.runEnvironmentChunk()
        if let script = settings.script {
            attempt {
                try state.setArguments(script.commandLine, script: script.position)
                try state.runScript(script.file, arguments: script.arguments)
            }
        }
        for chunk in settings.chunks { evaluate(Array(chunk.utf8)) }
        if settings.readsLines { readLines() }
        let tasks = session.scheduler.taskCount
        if settings.isInteractive, tasks > 0 {
            session.tell("\(tasks == 1 ? "1 task still runs" : "\(tasks) tasks still run"); Ctrl-C ends them.")
        }
        session.scheduler.finish(isFailed: false)
        session.tellFailures()
        return isWell && !session.hasToldFailures
    }

    private func readLines() {
        if settings.isInteractive {
            write("MiniVault \(VaultLibrary.version), Lua 5.4. help() says what there is, EXIT or Ctrl-D leaves.")
        }
        let prompt = LinePrompt(first: prompt(PromptLoop.first), next: prompt(PromptLoop.next))
        var entry: [UInt8] = []
        while !isOver {
            switch source.read(prompt, for: self) {
            case .end:
                if entry.isEmpty { return }
                // Nothing more follows what is not complete.
                evaluate(entry)
                entry = []
            case .interrupted:
                session.interrupt.clear()
                entry = []
            case .line(let line):
                entry += entry.isEmpty ? line : [UInt8(ascii: "\n")] + line
                if isUnfinished(entry) { continue }
                enter(entry)
                entry = []
            case .entry(let whole):
                enter(whole)
            }
        }
    }

    private func prompt(_ text: String) -> [UInt8] {
        Array((settings.hasColors ? "\u{1B}[1m\(text)\u{1B}[0m " : text + " ").utf8)
    }

    /// Runs what was entered, and remembers it unless it begins with a blank.
    private func enter(_ entry: [UInt8]) {
        guard !entry.allSatisfy(\.isBlank) else { return }
        if entry.first != UInt8(ascii: " ") { source.remember(entry) }
        evaluate(entry)
    }

    /// Runs one entry and shows what comes of it.
    private func evaluate(_ entry: [UInt8]) {
        attempt {
            var code = entry.drop(while: \.isBlank)
            if code.first == UInt8(ascii: "?") { return try help(on: Array(code.dropFirst())) }
            var isTimed = false
            if code.first == UInt8(ascii: ":") {
                let word = code.prefix { !$0.isBlank }
                guard word.elementsEqual(":time".utf8) else {
                    throw VaultError(
                        .invalid, "There is no command \(printable(word)); there is :time, and help().")
                }
                isTimed = true
                code = code.dropFirst(word.count)
            }
            let start = ContinuousClock.now
            let values = try perform(Array(code))
            let duration = ContinuousClock.now - start
            if let first = values.first {
                try state.setGlobal("_", first)
                try show(values)
            }
            if isTimed { write(PromptLoop.text(duration)) }
        }
        session.interrupt.clear()
        session.host.draw?(nil)
        session.tellFailures()
    }

    /// Runs a command, an expression or a chunk, and returns its values.
    private func perform(_ code: [UInt8]) throws -> [LuaValue] {
        guard let command = try state.get(library, "command").reference else { return [] }
        switch try state.call(command, code).first {
        case .reference(let function)?:
            do {
                if let text = try state.call(function).first?.string { write(text) }
            } catch {
                // Where in the prompt's own code it was raised says nothing.
                var error = error
                error.traceback = nil
                throw error
            }
            return []
        case .bytes?:
            isOver = true
            return []
        default:
            do {
                return try state.call(try compile(code, isToRun: true))
            } catch let error as LuaError where error.code == .syntax {
                throw hinted(error, at: code)
            }
        }
    }

    /// An expression, as one that returns its value, or else a chunk.
    ///
    /// - Parameter isToRun: whether it gets the locals of earlier entries, and keeps its own for later ones.
    private func compile(_ code: [UInt8], isToRun: Bool) throws -> LuaReference {
        // As prompts of older Luas had it.
        let start = code.first == UInt8(ascii: "=") ? Array(code.dropFirst()) : code
        let expression = Array("return ".utf8) + start
        if (try? load(expression)) != nil { return try isToRun ? withLocals(expression) : load(expression) }
        let chunk = try load(code)
        return isToRun ? try withLocals(code) : chunk
    }

    private func load(_ code: [UInt8]) throws -> LuaReference {
        try state.load(code, name: "=prompt", mode: .text)
    }

    private func withLocals(_ code: [UInt8]) throws -> LuaReference {
        guard let prepare = try state.get(library, "prepare").reference,
            let bind = try state.get(library, "bind").reference
        else { return try load(code) }
        let prepared = try state.call(prepare, code)
        guard case .bytes(let text)? = prepared.first, prepared.count == 2 else { return try load(code) }
        return try state.call(bind, try load(text), prepared[1]).first?.reference ?? load(code)
    }

    /// Says also what was perhaps meant by what is no Lua.
    private func hinted(_ error: LuaError, at code: [UInt8]) -> LuaError {
        guard let hint = try? state.get(library, "hint").reference, let text = try? state.call(hint, code).first?.string
        else { return error }
        return LuaError.message(error.message + "\n" + text)
    }

    private func help(on word: [UInt8]) throws {
        let name = String(decoding: word.filter { !$0.isBlank }, as: UTF8.self)
        guard let help = try state.get(library, "help").reference else { return }
        if name.isEmpty {
            if let text = try state.call(help).first?.string { write(text) }
            return
        }
        let value = try? state.call(try withLocals(Array("return \(name)".utf8))).first
        let subject = value.flatMap { $0 == .nil ? nil : $0 } ?? .string(name)
        if let text = try state.call(help, subject).first?.string { write(text) }
    }

    private func show(_ values: [LuaValue]) throws {
        guard let show = try state.get(library, "show").reference else { return }
        let arguments: [any LuaWritable] = [settings.hasColors] + values
        if case .bytes(let bytes)? = try state.call(show, arguments: arguments).first {
            write(bytes)
        }
    }

    /// Runs `body`, and tells what it throws.
    private func attempt(_ body: () throws -> Void) {
        do {
            try body()
        } catch {
            isWell = false
            let wasInterrupted = session.interrupt.isInterrupted
            session.interrupt.clear()
            let failure = ScriptFailure(PromptLoop.shortened(error), in: state)
            // What an interrupt ended needs no traceback.
            let text = wasInterrupted ? "interrupted" : failure.text ?? ""
            let code = wasInterrupted ? "" : failure.code.map { "\($0.rawValue): " } ?? ""
            if let flushing = flushing.reference { _ = try? state.call(flushing) }
            session.tell(settings.hasColors ? "\u{1B}[31m\(code)\(text)\u{1B}[0m" : code + text)
        }
    }

    // MARK: LineClient

    func idle() -> Bool {
        let isBusy = session.scheduler.runBriefly()
        session.tellFailures()
        return isBusy
    }

    var isInterrupted: Bool { session.interrupt.isInterrupted }

    /// Whether a chunk is right as far as it goes (as `lua` tells it).
    func isUnfinished(_ entry: [UInt8]) -> Bool {
        let start = entry.first { !$0.isBlank }
        if start == UInt8(ascii: "?") || start == UInt8(ascii: ":") { return false }
        do {
            // A string goes on in the next line behind `\` and `\z` alone.
            _ = try compile(entry + [UInt8(ascii: "\n")], isToRun: false)
            return false
        } catch {
            guard let error = error as? LuaError, error.code == .syntax, error.message.hasSuffix("near <eof>") else {
                return false
            }
            // A command that is no Lua: "SAVE file" is not complete as an expression either.
            guard let command = try? state.get(library, "command").reference else { return true }
            return (try? state.call(command, entry).first) ?? .nil == .nil
        }
    }

    func completions(of text: [UInt8]) -> Completions {
        guard let complete = try? state.get(library, "complete").reference,
            let results = try? state.call(complete, text), results.count == 2,
            case .bytes(let insertion) = results[0], let list = results[1].reference
        else { return Completions() }
        let candidates = try? state.read(list) { try $0.table().byteStrings() }
        return Completions(insertion: insertion, candidates: candidates ?? [])
    }

    // MARK: Text

    private func write(_ text: some LuaWritable) {
        if let output = output.reference { _ = try? state.call(output, text) }
    }

    /// Without a traceback that only leads from the prompt to the line that was typed.
    private static func shortened(_ error: any Error) -> any Error {
        guard var failure = error as? LuaError, let traceback = failure.traceback else { return error }
        // An entry with locals is a function, and what is typed a main chunk.
        var lines = traceback.replacing("in function <prompt:1>", with: "in main chunk")
            .split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.contains("[C]: in ?") ?? false { lines.removeLast() }
        let isShort = lines.dropFirst().allSatisfy { line in
            ["in main chunk", "[C]: in"].contains { line.contains($0) }
        }
        failure.traceback = isShort ? nil : lines.joined(separator: "\n")
        return failure
    }

    private static func text(_ duration: Duration) -> String {
        let seconds = duration / .seconds(1)
        if seconds < 0.001 { return "\(Int((seconds * 1e6).rounded(.up))) µs" }
        if seconds < 1 { return "\(Int((seconds * 1e3).rounded(.up))) ms" }
        return "\((seconds * 100).rounded() / 100) s"
    }
}

extension UInt8 {
    fileprivate var isBlank: Bool { self == 0x20 || 0x09...0x0D ~= self }
}
