import Glibc
import NIOCore
import NIOPosix
import VaultModel

extension VaultError {
    /// The error for a connection that did not come about, with what to do about it.
    init(connecting error: any Error, to url: ServerURL) {
        if error is CancellationError {
            self = .cancelled
            return
        }
        guard let failure = error as? NIOConnectionError else {
            if let error = error as? ChannelError, case .connectTimeout = error {
                self.init(
                    .timeout, "\(url.place) did not answer: is the machine up, and is no firewall in the way?",
                    isRetryable: true)
                return
            }
            self.init(.unavailable, "\(url.place) cannot be reached.", cause: "\(error)", isRetryable: true)
            return
        }
        if failure.connectionErrors.isEmpty {
            self.init(
                .unavailable,
                "The name '\(printable(url.host))' was not found: check how it is spelled, and the network.",
                isRetryable: true)
            return
        }
        let numbers = failure.connectionErrors.compactMap { ($0.error as? IOError)?.errnoCode }
        let timeouts = failure.connectionErrors.contains { attempt in
            if let error = attempt.error as? ChannelError, case .connectTimeout = error { return true }
            return false
        }
        if numbers.contains(ECONNREFUSED) {
            self.init(
                .unavailable, "Nothing listens at \(url.place): is 'minivault serve' running there?", isRetryable: true)
        } else if timeouts || numbers.contains(ETIMEDOUT) {
            self.init(
                .timeout, "\(url.place) did not answer: is the machine up, and is no firewall in the way?",
                isRetryable: true)
        } else {
            let cause = numbers.first.map { String(cString: strerror($0)) } ?? "\(failure.connectionErrors[0].error)"
            self.init(.unavailable, "\(url.place) cannot be reached.", cause: cause, isRetryable: true)
        }
    }
}
