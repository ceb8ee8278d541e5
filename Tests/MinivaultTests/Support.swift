import Foundation
import Glibc
import TestSupport
import Testing

/// A word of a command line: text, or any bytes.
struct Word: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByArrayLiteral, Sendable {
    let bytes: [UInt8]

    init(stringLiteral text: String) { bytes = Array(text.utf8) }
    init(arrayLiteral bytes: UInt8...) { self.bytes = bytes }
    init(_ text: String) { bytes = Array(text.utf8) }
    init(_ bytes: [UInt8]) { self.bytes = bytes }
}

/// How a run of the program ended.
struct Outcome: Sendable {
    /// The exit code, or the negative number of the signal that killed it.
    var status: Int32
    var outputBytes: [UInt8]
    var errors: String

    var output: String { String(decoding: outputBytes, as: UTF8.self) }
    var lines: [String] { output.split(separator: "\n").map(String.init) }

    /// The JSON objects that were printed, one a line.
    var objects: [[String: Any]] {
        lines.compactMap { try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
    }
}

/// A directory with a home, a vault that the environment names, and the built program to use it.
final class Sandbox: Sendable {
    let path: String
    /// The vault that the environment names.
    let vault: Shared<String>

    init() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("minivault-" + UUID().uuidString).path
        self.path = path
        vault = Shared(path + "/vault")
        try FileManager.default.createDirectory(atPath: path + "/home", withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The program that was built with these tests.
    static let program: String = {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "."
        return URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("minivault").path
    }()

    /// The variables of a run. The vault that they name is made, unless it is there: nothing else would make it.
    var environment: [String: String] {
        try? makeVault()
        return variables
    }

    private var variables: [String: String] {
        [
            "HOME": path + "/home", "XDG_DATA_HOME": path + "/home/data", "MINIVAULT_VAULT": vault.value,
            "PATH": "/usr/bin:/bin", "TZ": "UTC", "LC_ALL": "C.UTF-8",
        ]
    }

    /// Runs `minivault` in the sandbox's directory until it ends.
    @discardableResult
    func run(
        _ words: Word..., input: [UInt8] = [], environment changes: [String: String?] = [:]
    ) async throws -> Outcome {
        try await start(words, input: input, environment: changes).end()
    }

    /// Runs `minivault`, which must succeed.
    @discardableResult
    func succeed(
        _ words: Word..., input: [UInt8] = [], environment changes: [String: String?] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Outcome {
        let outcome = try await start(words, input: input, environment: changes).end()
        #expect(outcome.status == 0, "\(outcome.errors)", sourceLocation: sourceLocation)
        return outcome
    }

    /// Runs a script, given as text, with `minivault run`.
    @discardableResult
    func script(
        _ text: String, _ arguments: Word..., environment: [String: String?] = [:]
    ) async throws -> Outcome {
        let file = try write("script-\(UUID().uuidString).lua", text)
        return try await start([Word("run"), Word(file)] + arguments, environment: environment).end()
    }

    /// Starts `minivault`.
    func start(
        _ words: [Word], input: [UInt8] = [], environment changes: [String: String?] = [:]
    ) throws -> RunningProgram {
        var environment = environment
        for (name, value) in changes { environment[name] = value }
        return try RunningProgram(
            Sandbox.program, words, environment: environment, directory: path, input: input)
    }

    /// Makes the vault that the environment names, or another one, unless it is there.
    func makeVault(_ directory: String? = nil) throws {
        let directory = directory.map { path + "/" + $0 } ?? vault.value
        if directory.contains("://") || FileManager.default.fileExists(atPath: directory) { return }
        let program = try RunningProgram(
            Sandbox.program, ["init", "--quiet", Word(directory)], environment: variables, directory: path, input: [])
        var status: Int32 = 0
        while waitpid(program.id, &status, 0) < 0, errno == EINTR {}
        // Another run may have been faster, which is as good.
        guard FileManager.default.fileExists(atPath: directory) else {
            throw SystemFailure("no vault: \(program.errors)")
        }
    }

    // MARK: Files

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }

    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String { try write(Array(name.utf8), bytes) }

    @discardableResult
    func write(_ name: [UInt8], _ bytes: [UInt8]) throws -> String {
        if let slash = name.lastIndex(of: UInt8(ascii: "/")) { try makeDirectory(Array(name[..<slash])) }
        let file = fopen(cString(absolute(name)), "wb")
        guard let file else { throw SystemFailure("cannot write \(String(decoding: name, as: UTF8.self))") }
        defer { fclose(file) }
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw SystemFailure("short write") }
        return path + "/" + String(decoding: name, as: UTF8.self)
    }

    func makeDirectory(_ name: [UInt8]) throws {
        var made = Array(path.utf8)
        for part in name.split(separator: UInt8(ascii: "/")) {
            made += [UInt8(ascii: "/")] + part
            if mkdir(cString(made), 0o755) != 0, errno != EEXIST { throw SystemFailure("mkdir") }
        }
    }

    func read(_ name: String) -> [UInt8]? { read(Array(name.utf8)) }

    func read(_ name: [UInt8]) -> [UInt8]? { contents(absolute(name)) }

    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path + "/" + name) }

    private func absolute(_ name: [UInt8]) -> [UInt8] {
        name.first == UInt8(ascii: "/") ? name : Array(path.utf8) + [UInt8(ascii: "/")] + name
    }

    /// Runs a shell command in the sandbox and returns its output.
    @discardableResult
    func shell(_ command: String) async throws -> Outcome {
        try await RunningProgram(
            "/bin/bash", ["-c", Word(command)], environment: environment, directory: path, input: []
        ).end()
    }
}

struct SystemFailure: Error, CustomStringConvertible {
    var description: String

    init(_ what: String) {
        description = "\(what): \(String(cString: strerror(errno)))"
    }
}

func cString(_ bytes: [UInt8]) -> [CChar] { bytes.map { CChar(bitPattern: $0) } + [0] }

/// The bytes of a file; nil where there is none.
func contents(_ path: [UInt8]) -> [UInt8]? {
    guard let file = fopen(cString(path), "rb") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = fread(&buffer, 1, buffer.count, file)
        if count == 0 { return bytes }
        bytes += buffer[..<count]
    }
}
