import Glibc
import Synchronization
package import VaultClient
package import VaultModel
package import VaultServer

/// Workers of hooks within the tests' own process, whose hooks are in Swift.
package final class FakeWorkers: HookLauncher {
    /// Runs the hooks of an event; nil for a worker that dies of it.
    package typealias Handler = @Sendable (HookCall, HookLink) async throws -> HookAnswer?

    private let handler: Handler
    private let declared: Mutex<Result<[HookDeclaration], VaultError>>
    private let count = Mutex(0)

    package init(_ hooks: [HookDeclaration], _ handler: @escaping Handler) {
        self.handler = handler
        declared = Mutex(.success(hooks))
    }

    /// Workers that have been started.
    package var launched: Int { count.withLock { $0 } }

    /// What workers to come find in the file.
    package func declare(_ hooks: Result<[HookDeclaration], VaultError>) { declared.withLock { $0 = hooks } }

    package func launch() throws(VaultError) -> HookLaunch {
        let (requests, events) = (try FakeWorkers.socketPair(), try FakeWorkers.socketPair())
        count.withLock { $0 += 1 }
        let process = FakeProcess([dup(requests.theirs), dup(events.theirs)])
        let declared = declared.withLock { $0 }
        Task(executorPreference: FakeWorkers.threads) { [handler] in
            do {
                let link = try await HookLink.open(socket: requests.theirs, events: events.theirs) {}
                _ = try await link.setup()
                try await link.ready(declared)
                var answers: [HookAnswer] = []
                while true {
                    let calls = try link.next(after: answers)
                    answers = []
                    for call in calls {
                        guard let answer = try await handler(call, link) else { return process.kill() }
                        answers.append(answer)
                    }
                }
            } catch {
                process.kill()
            }
        }
        return HookLaunch(process: process, requests: requests.ours, events: events.ours)
    }

    /// One for each worker that waits for events.
    private static let threads = BlockingExecutor(threads: 48)

    private static func socketPair() throws(VaultError) -> (ours: Int32, theirs: Int32) {
        var ends: [Int32] = [-1, -1]
        guard Glibc.socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
            throw VaultError(system: errno, "open", LocalPath("a socket pair"))
        }
        return (ends[0], ends[1])
    }
}

private final class FakeProcess: HookWorkerProcess {
    private let sockets: Mutex<[Int32]>

    /// - Parameter sockets: copies of the worker's, which end with it.
    init(_ sockets: [Int32]) {
        self.sockets = Mutex(sockets)
    }

    deinit {
        kill()
    }

    func kill() {
        sockets.withLock { sockets in
            for socket in sockets {
                shutdown(socket, Int32(SHUT_RDWR))
                close(socket)
            }
            sockets = []
        }
    }

    func ending() -> String? { "killed" }
}
