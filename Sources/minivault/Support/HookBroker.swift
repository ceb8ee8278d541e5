import CProcess
import Glibc
import Synchronization
import VaultClient
import VaultLua
import VaultModel
import VaultServer

/// Does for one worker of hooks what it may not do itself: starts the programs that hooks may start, connects to the hosts
/// that they may connect to, and proves there who the server is.
///
/// The worker is taken for one that means harm: what it may have is looked up here.
final class HookBroker: Sendable {
    /// Requests of a worker at once.
    private static let requestsMax = 64

    private let group: HookProcessGroup
    private let place: ProgramPlace
    private let programs: [[UInt8]]
    private let hosts: [String]
    private let count = Atomic<Int>(0)

    init(_ group: HookProcessGroup, _ place: ProgramPlace, _ settings: HookSettings) {
        self.group = group
        self.place = place
        programs = settings.programs
        hosts = settings.hosts
    }

    /// Serves the worker until it ends its side of the socket.
    func serve(_ door: OpenFile) {
        var byte: UInt8 = 0
        while var files = Descriptors.receive(door.descriptor, &byte) {
            // Descriptors without a connection among them, or too many, are closed.
            guard !files.isEmpty else { continue }
            let socket = files.removeFirst()
            let copy = fcntl(socket.descriptor, F_DUPFD_CLOEXEC, 0)
            guard copy >= 0 else { continue }
            let channel = BrokerChannel(copy)
            guard count.load(ordering: .relaxed) < HookBroker.requestsMax else { continue }
            count.wrappingAdd(1, ordering: .relaxed)
            let streams = files
            let thread = BlockingThread { [self] in
                answer(channel, streams)
                count.wrappingSubtract(1, ordering: .relaxed)
            }
            if !thread.isStarted { count.wrappingSubtract(1, ordering: .relaxed) }
        }
    }

    /// Deals with one request, to its end.
    private func answer(_ channel: BrokerChannel, _ streams: [OpenFile]) {
        do throws(VaultError) {
            guard let request = try channel.receive() else { return }
            do throws(VaultError) {
                switch request.kind {
                case .start: try run(request.fields, streams, channel)
                case .account: try channel.send(.done(try HookConnections.account(try url(request))))
                case .connect: try channel.send(.done([]), try SocketDialer.connect(to: try url(request)))
                case .verify: try verify(try url(request), Array(request.fields.dropFirst()), channel)
                case .sign:
                    guard request.fields.count == 2 else { throw HookBroker.malformed }
                    let signature = try HookConnections.sign(try url(request), request.fields[1])
                    try channel.send(.done([signature]))
                }
            } catch {
                try channel.send(BrokerAnswer(.failure(error)))
            }
        } catch {
            // The worker has gone, or says what no worker says: it gets no answer.
        }
    }

    private func url(_ request: BrokerRequest) throws(VaultError) -> ServerURL {
        guard let word = request.fields.first else { throw HookBroker.malformed }
        return try HookConnections.url(word, hosts)
    }

    private func verify(_ url: ServerURL, _ chain: [[UInt8]], _ channel: BrokerChannel) throws(VaultError) {
        Task(executorPreference: BlockingExecutor.shared) {
            let result: Result<[[UInt8]], VaultError>
            do throws(VaultError) {
                try await HookConnections.verify(url, chain)
                result = .success([])
            } catch {
                result = .failure(error)
            }
            try? channel.send(BrokerAnswer(result))
        }
    }

    /// Starts a program, and tells the worker how it has ended; one that the worker does not wait for any more is ended.
    private func run(_ words: [[UInt8]], _ streams: [OpenFile], _ channel: BrokerChannel) throws(VaultError) {
        guard let name = words.first, streams.count == 3, !words.contains(where: { $0.contains(0) }) else {
            throw HookBroker.malformed
        }
        guard programs.contains(name) else { throw .notAllowed(program: name) }
        var words = words
        // The option names it from where the server was started, and the program starts elsewhere.
        if name.contains(UInt8(ascii: "/")) { words[0] = try LocalPath(name).absolute.bytes }
        let id = try group.start(words, place, streams.map(\.descriptor))
        let program = ChildProgram(id)
        do throws(VaultError) {
            try channel.send(.done([]))
        } catch {
            program.kill()
            return
        }
        while true {
            if let code = try program.ending() {
                try? channel.sendNext(.done([[UInt8(clamping: code)]]))
                return
            }
            var polled = [
                pollfd(fd: channel.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: program.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            // A kernel without descriptors of processes is asked again and again.
            let milliseconds: Int32 = program.descriptor >= 0 ? -1 : 5
            if poll(&polled, 2, milliseconds) > 0, polled[0].revents != 0 {
                program.kill()
                return
            }
        }
    }

    private static let malformed = VaultError(.invalid, "A worker for hooks asks for what nobody knows.")
}

extension BrokerAnswer {
    fileprivate static func done(_ fields: [[UInt8]]) -> BrokerAnswer { BrokerAnswer(.success(fields)) }
}
