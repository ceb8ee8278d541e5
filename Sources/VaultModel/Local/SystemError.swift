import Glibc

extension VaultError {
    /// The error for a system call that failed.
    ///
    /// - Parameters:
    ///   - number: the call's `errno`.
    ///   - doing: what was tried, as a verb phrase: `open`.
    package init(system number: Int32, _ doing: String, _ path: LocalPath) {
        let code: Code =
            switch number {
            case ENOENT, ENOTDIR: .notFound
            case EEXIST, ENOTEMPTY: .exists
            case EACCES, EPERM, EROFS: .denied
            case ENOSPC, EDQUOT, EFBIG: .quota
            case EINTR, EAGAIN, EMFILE, ENFILE, ENOMEM, EBUSY: .unavailable
            case EIO: .integrity
            case ENAMETOOLONG, ELOOP, EISDIR, EINVAL, EXDEV: .invalid
            default: .internal
            }
        self.init(code, "Cannot \(doing) '\(path)': \(String(cString: strerror(number))).", path: path)
    }
}

/// Calls `body` again as long as a signal interrupts it, and throws the error of any other failure.
@discardableResult
package func retrying<Value: SignedInteger>(
    _ doing: @autoclosure () -> String, _ path: @autoclosure () -> LocalPath, _ body: () -> Value
) throws(VaultError) -> Value {
    while true {
        let value = body()
        if value >= 0 { return value }
        let number = errno
        if number != EINTR { throw VaultError(system: number, doing(), path()) }
    }
}
