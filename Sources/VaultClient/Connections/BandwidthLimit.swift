import Synchronization
package import VaultModel
import VaultTransport

/// Lets no more than so many bytes a second pass, counted over all that share it.
///
/// A bucket that holds the bytes of a fifth of a second: what is taken beyond is paid for by waiting.
package final class BandwidthLimit: Sendable {
    private let bytesPerSecond: Double
    private let clock: @Sendable () -> ContinuousClock.Instant
    private let sleep: @Sendable (Duration) async throws -> Void
    /// When all that was taken will have passed at the allowed rate.
    private let paidUntil: Mutex<ContinuousClock.Instant?>

    /// - Parameter bytesPerSecond: above 0.
    package init(
        bytesPerSecond: UInt64, clock: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.bytesPerSecond = Double(max(1, bytesPerSecond))
        self.clock = clock
        self.sleep = sleep
        paidUntil = Mutex(nil)
    }

    private static let burst = Duration.milliseconds(200)

    /// Bytes that are best taken at once, so that something moves several times a second: a server takes what does not move for
    /// a sign that nobody is there.
    package var stepBytes: Int { Int(min(max(bytesPerSecond / 4, 1024), Double(FrameSender.pieceBytes))) }

    /// Returns when `bytes` may pass.
    package func take(_ bytes: Int) async throws(VaultError) {
        let now = clock()
        let cost = Duration.seconds(Double(bytes) / bytesPerSecond)
        let until = paidUntil.withLock { until in
            let paid = max(until ?? now, now - BandwidthLimit.burst) + cost
            until = paid
            return paid
        }
        guard until > now else { return }
        do { try await sleep(until - now) } catch { throw .cancelled }
    }
}
