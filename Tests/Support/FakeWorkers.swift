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

    package func launch() throws(VaultError) -> (process: any HookWorkerProcess, socket: Int32) {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
            throw VaultError(system: errno, "open", LocalPath("a socket pair"))
        }
        count.withLock { $0 += 1 }
        let process = FakeProcess(dup(ends[1]))
        let (socket, declared) = (ends[1], declared.withLock { $0 })
        Task(executorPreference: BlockingExecutor.shared) { [handler] in
            do {
                let link = try await HookLink.open(socket: socket) {}
                _ = try await link.setup()
                var calls = try await link.ready(declared)
                while true {
                    var answers: [HookAnswer] = []
                    for call in calls {
                        guard let answer = try await handler(call, link) else { return process.kill() }
                        answers.append(answer)
                    }
                    calls = try await link.next(after: answers)
                }
            } catch {
                process.kill()
            }
        }
        return (process, ends[0])
    }
}

private final class FakeProcess: HookWorkerProcess {
    private let socket: Mutex<Int32>

    init(_ socket: Int32) {
        self.socket = Mutex(socket)
    }

    deinit {
        kill()
    }

    func kill() {
        socket.withLock { socket in
            guard socket >= 0 else { return }
            shutdown(socket, Int32(SHUT_RDWR))
            close(socket)
            socket = -1
        }
    }

    func ending() -> String? { "killed" }
}
