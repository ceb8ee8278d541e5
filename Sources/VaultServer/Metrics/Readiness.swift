import NIOCore
import NIOPosix
import Synchronization
import VaultModel
import VaultStore

/// Whether vaults can be reached, looked at once for all who ask at the same time.
final class Readiness: Sendable {
    private struct State {
        /// The last look, which may have been given up, and still go on.
        var last: EventLoopFuture<Void>?
        var began = ContinuousClock.now
        var isLooking = false
    }

    private let places: any VaultPlaces
    private let state = Mutex(State())

    init(_ places: any VaultPlaces) {
        self.places = places
    }

    /// - Throws: why they cannot be reached, or that it is not known in time.
    func look() async throws(VaultError) {
        do { try await current().get() } catch { throw VaultError(error) }
    }

    private func current() -> EventLoopFuture<Void> {
        state.withLock { state in
            let isFresh = state.began + .milliseconds(ServerLimits.readinessMilliseconds) > .now
            if let last = state.last, state.isLooking || isFresh { return last }
            let promise = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Void.self)
            let task = Task(executorPreference: ServerExecutor.shared) {
                do throws(VaultError) {
                    try await self.places.look()
                    promise.succeed()
                } catch {
                    promise.fail(error)
                }
                self.state.withLock { $0.isLooking = false }
            }
            let end = promise.futureResult.eventLoop.scheduleTask(in: .seconds(ServerLimits.readinessSecondsMax)) {
                promise.fail(VaultError(.unavailable, "The vaults do not answer in time.", isRetryable: true))
                task.cancel()
            }
            promise.futureResult.whenComplete { _ in end.cancel() }
            (state.last, state.began, state.isLooking) = (promise.futureResult, .now, true)
            return promise.futureResult
        }
    }
}
