package import VaultModel

/// The iterations by which servers have had passwords hashed for a login, one line for each user: `host:port iterations USER COUNT`.
///
/// Whoever receives a password's proof can guess the password from it, at a cost that grows with the iterations.
extension KnownServers {
    private static let word = Array("iterations ".utf8)

    /// Whether a line tells of iterations, and not of trust.
    static func tellsIterations(_ rest: [UInt8]) -> Bool { rest.starts(with: word) }

    /// The most iterations of any login of a user at the server of `url`; nil where none is remembered.
    ///
    /// - Throws: `invalid` where the file says something about it that cannot be understood.
    package func iterations(of user: UserName, at url: ServerURL) throws(VaultError) -> Int? {
        try iterations(of: user, at: url, in: try lines())
    }

    /// Remembers the iterations of a login, unless as many are remembered.
    package func remember(iterations: Int, of user: UserName, at url: ServerURL) throws(VaultError) {
        if let most = try self.iterations(of: user, at: url), most >= iterations { return }
        try changeLines { (lines) throws(VaultError) in
            if let most = try self.iterations(of: user, at: url, in: lines), most >= iterations { return }
            lines.removeAll { KnownServers.entry($0, of: url)?.user == Array(user.text.utf8) }
            lines.append(Array("\(url.place) iterations \(user) \(iterations)".utf8))
        }
    }

    private func iterations(of user: UserName, at url: ServerURL, in lines: [[UInt8]]) throws(VaultError) -> Int? {
        var most: Int?
        for (index, line) in lines.enumerated() {
            guard let entry = KnownServers.entry(line, of: url), entry.user == Array(user.text.utf8) else { continue }
            guard let count = entry.count else {
                throw VaultError(
                    .invalid,
                    "Line \(index + 1) of '\(file)' does not say how often \(user)'s password is hashed. \(advice(url))",
                    path: file)
            }
            most = max(most ?? 0, count)
        }
        return most
    }

    /// The user and the count of a line about the server of `url`; nil for other lines.
    private static func entry(_ line: [UInt8], of url: ServerURL) -> (user: [UInt8], count: Int?)? {
        let (place, rest) = words(line)
        guard place == Array(url.place.utf8), tellsIterations(rest) else { return nil }
        let (user, count) = words(Array(rest.dropFirst(word.count)))
        return (user, Int(String(decoding: count, as: UTF8.self)))
    }
}

extension ServerTrust {
    /// The same trust, in a server that has passwords hashed as often as before at least.
    package func withIterations(in known: KnownServers, of url: ServerURL) -> ServerTrust {
        var trust = self
        trust.judgeIterations = { (count, user) throws(VaultError) in
            guard let most = try known.iterations(of: user, at: url), count < most else { return }
            throw VaultError(
                .login,
                """
                \(url.place) wants \(user)'s password hashed \(count) times, and had it hashed \(most) times before: \
                somebody may be posing as the server to guess the password, and nothing made from it was sent.
                Ask the server's operator. If the change is expected, forget the server and log in again:
                  minivault login \(url.server) --forget
                  minivault login \(url.withUser(user.text))
                """)
        }
        // Nothing is remembered where nothing can be written, as in a home that is only read.
        trust.noteIterations = { count, user in try? known.remember(iterations: count, of: user, at: url) }
        return trust
    }
}
