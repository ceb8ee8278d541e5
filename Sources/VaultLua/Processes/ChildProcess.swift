import CProcess
import Glibc
import LuaEngine
import Synchronization
import VaultModel

/// A program that a script starts and waits for, with its standard streams in memory.
struct ChildProcess {
    /// What has become of it.
    struct Ending: Sendable {
        /// The exit status; 128 and the signal's number after a signal, as shells have it.
        var code: Int32
        var output: [UInt8]
        var errors: [UInt8]
    }

    /// The most that is kept of each of its output streams, in bytes.
    static let outputBytesMax = 256 << 20

    private static let pollMilliseconds: Int32 = 50
    /// Between the request to end and the end.
    private static let grace = Duration.seconds(2)
    private static let endGrace = Duration.milliseconds(100)

    let arguments: [[UInt8]]
    let input: [UInt8]
    /// What the program reads, instead of `input`.
    var inputFile: LocalPath?
    /// Nil for no limit.
    let timeout: Duration?
    let launcher: any ProgramLauncher
    var surroundings = ProgramSurroundings()

    /// Runs the program to its end, on a thread of its own; ends it when time is up or the task is cancelled.
    ///
    /// - Throws: `notFound` or `denied` where it cannot be started, `timeout`, `cancelled`, and `quota` for
    ///   more output than is kept.
    func run() async throws(VaultError) -> Ending {
        let isCancelled = Flag()
        return try await mappingErrors {
            try await withTaskCancellationHandler {
                // One of the threads that are there for all would be kept from other work, and two programs that wait for
                // each other might never both run.
                try await LuaThread.run { try runBlocking(isCancelled) }
            } onCancel: {
                isCancelled.isSet.store(true, ordering: .relaxed)
            }
        }
    }

    private var name: LocalPath { LocalPath(arguments.first ?? []) }

    private func runBlocking(_ isCancelled: Flag) throws(VaultError) -> Ending {
        let (inputEnds, outputEnds, errorEnds) = (try Pipe(), try Pipe(), try Pipe())
        let file = try inputFile.map { (path) throws(VaultError) in try OpenFile(path, flags: O_RDONLY | O_NOFOLLOW) }
        let program = try launcher.start(
            arguments,
            ProgramStreams(
                input: file?.descriptor ?? inputEnds.reading.descriptor, output: outputEnds.writing.descriptor,
                errors: errorEnds.writing.descriptor), in: surroundings)
        for pipe in [outputEnds, errorEnds] { pipe.writing.close() }
        inputEnds.reading.close()
        var exchange = Exchange(
            input: input, inputEnd: inputEnds.writing, ends: [outputEnds.reading, errorEnds.reading],
            ending: program.descriptor)
        let clock = ContinuousClock()
        let deadline = timeout.map { clock.now + $0 }
        do throws(VaultError) {
            while true {
                // It may close its output and go on, or end and leave its output to what it has started.
                if let code = try program.ending() {
                    try exchange.takeRest()
                    return Ending(code: code, output: exchange.received[0], errors: exchange.received[1])
                }
                if isCancelled.isSet.load(ordering: .relaxed) { throw .cancelled }
                if let deadline, clock.now > deadline {
                    throw VaultError(.timeout, "'\(name)' did not end in time.", path: name)
                }
                try exchange.step(milliseconds: ChildProcess.pollMilliseconds)
            }
        } catch {
            end(program)
            throw error
        }
    }

    /// Ends the program and what it has started: what does not take the request for one is ended after a while.
    private func end(_ program: any StartedProgram) {
        program.terminate()
        if waitUntilGone(program, ChildProcess.grace) { return }
        program.kill()
        // Somebody else waits for the ends of what it has started.
        _ = waitUntilGone(program, ChildProcess.endGrace)
    }

    private func waitUntilGone(_ program: any StartedProgram, _ limit: Duration) -> Bool {
        let deadline = ContinuousClock.now + limit
        while !program.isGone() {
            if ContinuousClock.now > deadline { return false }
            poll(nil, 0, 5)
        }
        return true
    }
}

private final class Flag: Sendable {
    let isSet = Atomic<Bool>(false)
}

/// Two ends of a pipe, closed with the last reference and never inherited.
private struct Pipe {
    final class End {
        private(set) var descriptor: Int32

        init(_ descriptor: Int32) {
            self.descriptor = descriptor
        }

        deinit {
            close()
        }

        func close() {
            if descriptor >= 0 { _ = Glibc.close(descriptor) }
            descriptor = -1
        }
    }

    let reading: End
    let writing: End

    init() throws(VaultError) {
        var ends: [Int32] = [-1, -1]
        guard cprocess_pipe(&ends) == 0 else { throw VaultError(system: errno, "open", LocalPath("a pipe")) }
        (reading, writing) = (End(ends[0]), End(ends[1]))
    }
}

/// Feeds a program and takes what it writes, whichever is possible.
private struct Exchange {
    private let input: [UInt8]
    private var fed = 0
    private let inputEnd: Pipe.End
    private let ends: [Pipe.End]
    /// Can be read once the program has ended; negative where nothing tells of that.
    private let ending: Int32
    private(set) var received: [[UInt8]] = [[], []]
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    init(input: [UInt8], inputEnd: Pipe.End, ends: [Pipe.End], ending: Int32) {
        self.input = input
        self.inputEnd = inputEnd
        self.ends = ends
        self.ending = ending
        _ = fcntl(inputEnd.descriptor, F_SETFL, O_NONBLOCK)
        if input.isEmpty { inputEnd.close() }
    }

    /// Waits for something to do, which may be that the program has ended, and does it.
    mutating func step(milliseconds: Int32) throws(VaultError) {
        var polled = ends.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        polled.append(pollfd(fd: inputEnd.descriptor, events: Int16(POLLOUT), revents: 0))
        polled.append(pollfd(fd: ending, events: Int16(POLLIN), revents: 0))
        guard poll(&polled, nfds_t(polled.count), milliseconds) > 0 else { return }
        if polled[2].revents != 0 { feed() }
        for index in 0..<2 where polled[index].revents != 0 { try receive(index) }
    }

    /// Takes what a program that has ended has written. What else has its output may write for ever.
    mutating func takeRest() throws(VaultError) {
        for index in 0..<2 where ends[index].descriptor >= 0 {
            var rest: Int32 = 0
            guard ioctl(ends[index].descriptor, UInt(FIONREAD), &rest) == 0 else { continue }
            let wanted = received[index].count + Int(rest)
            while received[index].count < wanted, ends[index].descriptor >= 0 { try receive(index) }
        }
    }

    private mutating func feed() {
        let rest = input[fed...]
        let count = withoutPipeSignal { rest.withUnsafeBytes { write(inputEnd.descriptor, $0.baseAddress, $0.count) } }
        if count > 0 { fed += count }
        // A program that does not want its input is no error: what it does with it is its own affair.
        let isOver = fed == input.count || (count < 0 && errno != EAGAIN && errno != EINTR)
        if isOver { inputEnd.close() }
    }

    private mutating func receive(_ index: Int) throws(VaultError) {
        let count = buffer.withUnsafeMutableBytes { read(ends[index].descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR || errno == EAGAIN { return }
        guard count > 0 else { return ends[index].close() }
        received[index] += buffer[..<count]
        if received[index].count > ChildProcess.outputBytesMax {
            throw VaultError(.quota, "A program wrote more than \(ChildProcess.outputBytesMax) bytes.")
        }
    }
}

/// Runs `body` so that writing to a pipe that nobody reads fails, and does not end the process.
///
/// Only this thread is affected: an ignored signal would be inherited by child processes. `errno` is as
/// `body` left it.
private func withoutPipeSignal<Value>(_ body: () -> Value) -> Value {
    var pipeSignal = sigset_t()
    sigemptyset(&pipeSignal)
    sigaddset(&pipeSignal, SIGPIPE)
    var before = sigset_t()
    pthread_sigmask(SIG_BLOCK, &pipeSignal, &before)
    let value = body()
    let number = errno
    var now = timespec()
    while sigtimedwait(&pipeSignal, nil, &now) < 0, errno == EINTR {}
    pthread_sigmask(SIG_SETMASK, &before, nil)
    errno = number
    return value
}
