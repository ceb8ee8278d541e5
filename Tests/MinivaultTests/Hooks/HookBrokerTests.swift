import CProcess
import Glibc
import TestSupport
import Testing
import VaultLua
import VaultModel
import VaultServer
import VaultWire

@testable import minivault

/// The server's services to a worker of hooks, which may mean harm.
@Suite struct HookBrokerTests {
    /// A broker in this process, for a worker that only sleeps.
    private final class Setting: Sendable {
        let client: HookBrokerClient
        /// The worker's end of its socket.
        let door: OpenFile
        private let group: HookProcessGroup

        init(programs: [String] = [], hosts: [String] = []) throws {
            let null = try OpenFile(LocalPath("/dev/null"), flags: O_RDWR)
            let place = ProgramPlace(
                directory: try OpenFile(LocalPath("/"), flags: O_RDONLY),
                environment: [Array("PATH=/usr/bin:/bin".utf8)])
            group = HookProcessGroup(of: try Setting.sleeper(null.descriptor, place))
            var settings = HookSettings(file: LocalPath("hooks.lua"))
            (settings.programs, settings.hosts) = (programs.map { Array($0.utf8) }, hosts)
            let sockets = try SocketPair()
            let theirs = fcntl(sockets.theirs, F_DUPFD_CLOEXEC, 0)
            door = OpenFile(descriptor: sockets.takeOurs(), path: LocalPath("the worker's socket"))
            client = HookBrokerClient(fcntl(door.descriptor, F_DUPFD_CLOEXEC, 0))
            let broker = HookBroker(group, place, settings)
            let served = OpenFile(descriptor: theirs, path: LocalPath("the server's socket"))
            try #require(BlockingThread { broker.serve(served) }.isStarted)
        }

        deinit {
            group.kill()
            shutdown(door.descriptor, Int32(SHUT_RDWR))
        }

        private static func sleeper(_ null: Int32, _ place: ProgramPlace) throws -> pid_t {
            var process = pid_t()
            let words: [UnsafeMutablePointer<CChar>?] = [strdup("/bin/sleep"), strdup("600"), nil]
            defer { for word in words { free(word) } }
            let failure = words.withUnsafeBufferPointer { words in
                var program = cprocess_program()
                (program.paths, program.words, program.environment) = (
                    words.baseAddress, words.baseAddress, words.baseAddress?.advanced(by: 2)
                )
                (program.streams, program.directory, program.outlives) = (
                    (null, null, null), place.directory.descriptor, 1
                )
                return cprocess_start(&program, &process)
            }
            try #require(failure == 0)
            return process
        }

        /// Begins a request as a worker may make it up.
        func ask(_ bytes: [UInt8], streams: [Int32] = []) throws -> BrokerChannel {
            let sockets = try SocketPair()
            let descriptor = sockets.takeOurs()
            let channel = BrokerChannel(descriptor)
            let descriptors = [sockets.theirs] + streams
            try #require(
                cprocess_send_descriptors(door.descriptor, 0, descriptors, Int32(descriptors.count)) == 0)
            _ = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            return channel
        }

        func run(_ words: [String]) throws(VaultError) -> any StartedProgram {
            let null = try OpenFile(LocalPath("/dev/null"), flags: O_RDWR)
            return try client.start(
                words.map { Array($0.utf8) },
                ProgramStreams(input: null.descriptor, output: null.descriptor, errors: null.descriptor),
                in: ProgramSurroundings())
        }
    }

    private func framed(_ message: [UInt8]) -> [UInt8] {
        [0, 0, UInt8(message.count >> 8), UInt8(message.count & 0xFF)] + message
    }

    private func code(_ body: () async throws -> Void) async -> VaultError.Code? {
        do {
            try await body()
            return nil
        } catch {
            return VaultError(error).code
        }
    }

    private func end(of program: any StartedProgram) async throws -> Int32? {
        var code: Int32?
        _ = try await soon {
            code = try program.ending()
            return code != nil
        }
        return code
    }

    @Test func onlyAllowedProgramsStart() async throws {
        let setting = try Setting(programs: ["true", "false", "none-such"])
        #expect(try await end(of: try setting.run(["true"])) == 0)
        #expect(try await end(of: try setting.run(["false"])) == 1)
        #expect(await code { _ = try setting.run(["none-such"]) } == .notFound)
        // The worker's own check is none of the server's.
        for program in ["sh", "/bin/true", "", "../bin/true"] {
            #expect(await code { _ = try setting.run([program]) } == .denied, "\(program)")
        }
    }

    @Test func onlyAllowedHostsAreConnectedTo() async throws {
        let setting = try Setting(hosts: ["127.0.0.1"])
        let url = Array("minivault://anna@localhost:1".utf8)
        #expect(await code { _ = try await setting.client.open(url, ["localhost"]) } == .denied)
        for kind in [BrokerRequest.Kind.account, .connect, .verify, .sign] {
            let channel = try setting.ask(framed(BrokerRequest(kind, [url, [1]]).encoded))
            #expect(await code { _ = try channel.answer() } == .denied, "\(kind)")
            let directory = try setting.ask(framed(BrokerRequest(kind, [Array("/tmp".utf8)]).encoded))
            #expect(await code { _ = try directory.answer() } != nil, "\(kind)")
        }
        // Nothing listens at this one, which is allowed.
        let allowed = Array("minivault://anna@127.0.0.1:1".utf8)
        let channel = try setting.ask(framed(BrokerRequest(.connect, [allowed]).encoded))
        #expect(await code { _ = try channel.answer() } == .unavailable)
    }

    @Test func whatIsMadeUpGetsNoAnswerAndHarmsNobody() async throws {
        let setting = try Setting(programs: ["true"])
        let start = BrokerRequest(.start, [Array("true".utf8)]).encoded
        let madeUp: [[UInt8]] = [
            [], [1, 2, 3], framed([]), framed([99, 0]), framed([0, 5, 1]), framed(start + [0]),
            [0xFF, 0xFF, 0xFF, 0xFF], framed([0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]),
        ]
        for bytes in madeUp {
            let channel = try setting.ask(bytes)
            shutdown(channel.descriptor, Int32(SHUT_WR))
            #expect(await code { _ = try channel.answer() } == .unavailable, "\(bytes)")
        }
        // Without its streams, without words, with a word that no program could have.
        for fields in [[Array("true".utf8)], [], [Array("true".utf8), [0]]] as [[[UInt8]]] {
            let channel = try setting.ask(framed(BrokerRequest(.start, fields).encoded))
            #expect(await code { _ = try channel.answer() } == .invalid, "\(fields)")
        }
        // A byte with no connection.
        try #require(cprocess_send_descriptors(setting.door.descriptor, 0, nil, 0) == 0)
        #expect(try await end(of: try setting.run(["true"])) == 0)
    }

    @Test func aWorkerHasSoManyRequestsAtOnce() async throws {
        let setting = try Setting(programs: ["sleep"])
        var channels: [BrokerChannel] = []
        for _ in 0..<64 { channels.append(try setting.ask([0])) }
        let further = try setting.ask([0])
        #expect(await code { _ = try further.answer() } == .unavailable)
        for channel in channels { channel.giveUp() }
        // They are free again.
        #expect(try await soon { (try? setting.run(["sleep", "0"])) != nil })
    }

    @Test func nothingStartsOnceTheWorkerHasEnded() async throws {
        let null = try OpenFile(LocalPath("/dev/null"), flags: O_RDWR)
        let place = ProgramPlace(directory: try OpenFile(LocalPath("/"), flags: O_RDONLY), environment: [])
        var process = pid_t()
        let words: [UnsafeMutablePointer<CChar>?] = [strdup("/bin/true"), nil]
        defer { free(words[0]) }
        words.withUnsafeBufferPointer { words in
            var program = cprocess_program()
            (program.paths, program.words, program.environment) = (
                words.baseAddress, words.baseAddress, words.baseAddress?.advanced(by: 1)
            )
            (program.streams, program.directory) = (
                (null.descriptor, null.descriptor, null.descriptor), place.directory.descriptor
            )
            #expect(cprocess_start(&program, &process) == 0)
        }
        let group = HookProcessGroup(of: process)
        group.kill()
        #expect(group.ending() != nil)
        let streams = [null.descriptor, null.descriptor, null.descriptor]
        #expect(await code { _ = try group.start([Array("true".utf8)], place, streams) } == .cancelled)
    }

    @Test func onlyLoginsAreSigned() {
        #expect(throws: VaultError.self) { try DeviceProof(message: Array("minivault device login".utf8)) }
        #expect(throws: VaultError.self) { try DeviceProof(message: []) }
    }
}
