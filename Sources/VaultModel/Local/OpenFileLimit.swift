import Glibc

/// The number of files that this process may have open.
package enum OpenFileLimit {
    /// The limit that the process began with. The programs that `vault.exec` starts have it too, since some look through
    /// all numbers of files that they could have open.
    package static let original = current.map { UInt($0.rlim_cur) }

    /// Raises the limit to the most that the system allows the process; a shell's usual limit is far below.
    package static func raise() {
        _ = original
        guard var limit = current, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// The share of the limit that one use of open files may take: the `divisor`-th part of it, `max` at most.
    ///
    /// The rest is for connections, databases and what a script opens by itself.
    package static func share(_ divisor: Int, max: Int) -> Int {
        Swift.min(max, Swift.max(8, count / divisor))
    }

    /// Whether the process may open so many files more than it has open now.
    ///
    /// The system gives a new file the lowest number that is free. A process must not come to its limit: the library that
    /// schedules its threads looks at files of the system now and then, and ends the process where it cannot.
    package static func hasRoom(for files: Int) -> Bool {
        let next = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)
        guard next >= 0 else { return errno != EMFILE }
        close(next)
        return Int(next) + files <= count
    }

    /// The number of files that the process may have open now.
    package static var count: Int { current.map { Int(clamping: $0.rlim_cur) } ?? 1024 }

    private static var current: rlimit? {
        var limit = rlimit()
        return getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 ? limit : nil
    }
}
