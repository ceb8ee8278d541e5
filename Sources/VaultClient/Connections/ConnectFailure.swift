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
                self = .noAnswer(url)
                return
            }
            self.init(.unavailable, "\(url.place) cannot be reached.", cause: "\(error)", isRetryable: true)
            return
        }
        if failure.connectionErrors.isEmpty {
            self = .nameNotFound(url)
            return
        }
        let numbers = failure.connectionErrors.compactMap { ($0.error as? IOError)?.errnoCode }
        let timeouts = failure.connectionErrors.contains { attempt in
            if let error = attempt.error as? ChannelError, case .connectTimeout = error { return true }
            return false
        }
        if numbers.isEmpty, !timeouts {
            let cause = "\(failure.connectionErrors[0].error)"
            self.init(.unavailable, "\(url.place) cannot be reached.", cause: cause, isRetryable: true)
        } else {
            self.init(connecting: numbers + (timeouts ? [ETIMEDOUT] : []), to: url)
        }
    }

    /// The error where no address of a server could be connected to.
    ///
    /// - Parameter numbers: `errno` of each attempt.
    init(connecting numbers: [Int32], to url: ServerURL) {
        if numbers.contains(ECONNREFUSED) {
            self.init(
                .unavailable, "Nothing listens at \(url.place): is 'minivault serve' running there?", isRetryable: true)
        } else if numbers.contains(ETIMEDOUT) {
            self = .noAnswer(url)
        } else {
            self.init(
                .unavailable, "\(url.place) cannot be reached.",
                cause: numbers.first.map { String(cString: strerror($0)) },
                isRetryable: true)
        }
    }

    static func nameNotFound(_ url: ServerURL) -> VaultError {
        VaultError(
            .unavailable, "The name '\(printable(url.host))' was not found: check how it is spelled, and the network.",
            isRetryable: true)
    }

    private static func noAnswer(_ url: ServerURL) -> VaultError {
        VaultError(
            .timeout, "\(url.place) did not answer: is the machine up, and is no firewall in the way?",
            isRetryable: true)
    }
}
