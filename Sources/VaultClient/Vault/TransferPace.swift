import Synchronization
import VaultModel

/// How much is best moved in one request: what the way to the server takes in half a second, so that who watches sees
/// it move, and little is lost where it is interrupted.
final class TransferPace: Sendable {
    private static let seconds = 0.5
    private static let bytesMin = 256 << 10
    private static let bytesAtFirst = 1 << 20

    /// Bytes a second of one request among others; nil before the first.
    private let rate = Mutex<Double?>(nil)

    var bytes: Int {
        guard let rate = rate.withLock({ $0 }) else { return TransferPace.bytesAtFirst }
        return Int(min(max(rate * TransferPace.seconds, Double(TransferPace.bytesMin)), Double(Limits.fetchBytesMax)))
    }

    func note(_ bytes: Int, in time: Duration) {
        let seen = Double(bytes) / max(time / .seconds(1), 0.0001)
        rate.withLock { rate in rate = rate.map { ($0 + seen) / 2 } ?? seen }
    }
}
