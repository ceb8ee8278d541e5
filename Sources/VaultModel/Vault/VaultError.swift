/// What went wrong with a vault, a transfer or a local file that takes part in one.
///
/// An error is a code that programs act on, one finished sentence that a person acts on, and the
/// error underneath, if any. Messages hold no secrets and print names escaped.
package struct VaultError: Error, Sendable {
    /// The kinds of failure, shared by exit statuses, the wire and Lua's `err.code`.
    package enum Code: String, Sendable, CaseIterable {
        case notFound = "not_found"
        case exists
        case denied
        case login
        case invalid
        case conflict
        case quota
        case rejected
        case integrity
        case unavailable
        case timeout
        case cancelled
        case `internal`
    }

    package var code: Code
    package var message: String
    /// The vault name that the failure is about.
    package var name: Name?
    /// The local file that the failure is about.
    package var path: LocalPath?
    package var cause: String?
    /// Whether the same call may succeed later without anything being changed first.
    package var isRetryable: Bool
    /// Whether the change may have taken effect all the same: its answer was lost.
    package var isUncertain = false

    package init(
        _ code: Code,
        _ message: String,
        name: Name? = nil,
        path: LocalPath? = nil,
        cause: String? = nil,
        isRetryable: Bool = false
    ) {
        self.code = code
        self.message = message
        self.name = name
        self.path = path
        self.cause = cause
        self.isRetryable = isRetryable
    }

    /// The error that a boundary throws for `error`: itself, `cancelled`, or `internal` with a cause.
    package init(_ error: any Error) {
        switch error {
        case let error as VaultError:
            self = error
        case is CancellationError:
            self = .cancelled
        default:
            self.init(.internal, "An unexpected failure inside MiniVault.", cause: "\(error)")
        }
    }

    package static let cancelled = VaultError(.cancelled, "The operation was cancelled.")

    /// The same error with the name it is about, unless it has one.
    package func about(_ name: Name) -> VaultError {
        var error = self
        error.name = error.name ?? name
        return error
    }

    /// The same error with the local path it is about, unless it has one.
    package func about(_ path: LocalPath) -> VaultError {
        var error = self
        error.path = error.path ?? path
        return error
    }
}

extension VaultError: CustomStringConvertible {
    package var description: String {
        guard let cause else { return message }
        return "\(message) (\(cause))"
    }
}

extension VaultError {
    package static func namesBelow(_ name: Name) -> VaultError {
        VaultError(.exists, "There are names below '\(name)'.", name: name)
    }
}

/// Runs `body` and gives every error that leaves it the type `VaultError`.
package func mappingErrors<Result>(
    _ body: () async throws -> sending Result
) async throws(VaultError) -> sending Result {
    do {
        return try await body()
    } catch {
        throw VaultError(error)
    }
}
