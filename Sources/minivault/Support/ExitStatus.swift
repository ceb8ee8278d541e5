import VaultModel

/// How the program ends.
enum ExitStatus: Int32 {
    case done = 0
    case failed = 1
    case usage = 2
    case notFound = 3
    case denied = 4
    case unavailable = 5
    case damaged = 6
    case rejected = 7
    case different = 8
    case interrupted = 130

    init(_ error: VaultError) {
        switch error.code {
        case .notFound: self = .notFound
        case .denied, .login: self = .denied
        case .unavailable, .timeout: self = .unavailable
        case .integrity: self = .damaged
        case .rejected, .quota: self = .rejected
        case .cancelled: self = .interrupted
        case .exists, .invalid, .conflict, .internal: self = .failed
        }
    }
}

/// The end of a command whose failures have been told.
struct CommandFailure: Error {
    var status: ExitStatus
}
