import Glibc
package import VaultModel
import VaultWire

/// The file of the servers that a user trusts, one a line: `host:port SHA256:...`, the fingerprint of its key;
/// `host:port ca`, for the machine's certificate authorities; or `host:port ca /path`, for those in a file. Lines
/// beside them tell how often passwords were hashed for a login.
///
/// Comments and lines of other kinds are kept. Any process may read and change the file at any time: it is
/// replaced as a whole, under a lock beside it.
package struct KnownServers: Sendable {
    package let file: LocalPath

    private static let authorityWord = Array("ca".utf8)
    private static let newline = UInt8(ascii: "\n")

    package init(file: LocalPath) {
        self.file = file
    }

    /// How the server of `url` is trusted; nil for one that was never trusted.
    ///
    /// - Throws: `invalid` where the file says something about the server that cannot be understood: to take the
    ///   server for an unknown one then would let anybody take its place.
    package func trust(of url: ServerURL) throws(VaultError) -> Trust? {
        try trust(of: url, in: try lines())
    }

    /// Remembers how the server of `url` is trusted.
    ///
    /// - Throws: `conflict` where it is remembered in another way, which only ``forget(_:)`` changes.
    package func remember(_ trust: Trust, of url: ServerURL) throws(VaultError) {
        let line = try KnownServers.line(trust, of: url)
        try changeLines { (lines) throws(VaultError) in
            switch try self.trust(of: url, in: lines) {
            case trust?: return
            case nil: break
            case .some:
                throw VaultError(
                    .conflict, "'\(file)' trusts \(url.place) in another way already. \(advice(url))", path: file)
            }
            lines.append(line)
        }
    }

    /// Forgets the server of `url`, and how often it had passwords hashed.
    ///
    /// - Returns: whether it was known.
    package func forget(_ url: ServerURL) throws(VaultError) -> Bool {
        guard try lines().contains(where: { KnownServers.words($0).place == Array(url.place.utf8) }) else {
            return false
        }
        try changeLines { lines in
            lines.removeAll { KnownServers.words($0).place == Array(url.place.utf8) }
        }
        return true
    }

    // MARK: Lines

    private func trust(of url: ServerURL, in lines: [[UInt8]]) throws(VaultError) -> Trust? {
        var found: Trust?
        for (index, line) in lines.enumerated() {
            let words = KnownServers.words(line)
            guard words.place == Array(url.place.utf8), !KnownServers.tellsIterations(words.rest) else { continue }
            guard let trust = KnownServers.trust(words.rest) else {
                throw VaultError(
                    .invalid, "Line \(index + 1) of '\(file)' does not say how \(url.place) is trusted. \(advice(url))",
                    path: file)
            }
            guard found == nil || found == trust else {
                throw VaultError(
                    .invalid, "'\(file)' says twice how \(url.place) is trusted, in different ways. \(advice(url))",
                    path: file)
            }
            found = trust
        }
        return found
    }

    func advice(_ url: ServerURL) -> String {
        "To start afresh: minivault login \(url.server) --forget"
    }

    /// The first word of a line, and the rest without blanks around it.
    static func words(_ line: [UInt8]) -> (place: [UInt8], rest: [UInt8]) {
        let isBlank: (UInt8) -> Bool = {
            $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r")
        }
        let line = line.drop(while: isBlank)
        let place = line.prefix { !isBlank($0) }
        var rest = line[place.endIndex...].drop(while: isBlank)
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return (Array(place), Array(rest))
    }

    private static func trust(_ text: [UInt8]) -> Trust? {
        if text == authorityWord { return .authorities }
        let prefix = authorityWord + [UInt8(ascii: " ")]
        if text.starts(with: prefix), text.count > prefix.count, text[prefix.count] == UInt8(ascii: "/") {
            return .authority(LocalPath(text[prefix.count...]))
        }
        guard let digest = try? Digest(fingerprint: String(decoding: text, as: UTF8.self)) else { return nil }
        return .pinned(digest)
    }

    private static func line(_ trust: Trust, of url: ServerURL) throws(VaultError) -> [UInt8] {
        let start = Array("\(url.place) ".utf8)
        switch trust {
        case .pinned(let digest): return start + Array(digest.fingerprint.utf8)
        case .authorities: return start + authorityWord
        case .authority(let path):
            let line = start + authorityWord + [UInt8(ascii: " ")] + path.bytes
            // What is remembered must be read back as it was.
            guard !line.contains(newline), self.trust(words(line).rest) == trust else {
                throw VaultError(
                    .invalid,
                    "'\(path)' cannot be remembered: give the file of the authorities by an absolute path "
                        + "without blanks at its end.", path: path)
            }
            return line
        }
    }

    // MARK: The file

    func lines() throws(VaultError) -> [[UInt8]] {
        let bytes: [UInt8]
        do throws(VaultError) {
            bytes = try SmallFile.read(file, bytesMax: ClientLimits.trustFileBytesMax)
        } catch  where error.code == .notFound {
            return []
        }
        var lines = bytes.split(separator: KnownServers.newline, omittingEmptySubsequences: false).map { Array($0) }
        if lines.last?.isEmpty ?? false { lines.removeLast() }
        return lines
    }

    /// Changes the lines under the lock; the file is written where they differ then.
    func changeLines(_ change: (inout [[UInt8]]) throws(VaultError) -> Void) throws(VaultError) {
        try SmallFile.makeDirectory(file.parent)
        try locked { () throws(VaultError) in
            let before = try self.lines()
            var lines = before
            try change(&lines)
            if lines == before { return }
            if before.isEmpty {
                lines.insert(Array("# The servers that minivault trusts, by 'minivault login'.".utf8), at: 0)
            }
            try write(lines)
        }
    }

    private func write(_ lines: [[UInt8]]) throws(VaultError) {
        let bytes = lines.flatMap { $0 + [KnownServers.newline] }
        guard bytes.count <= ClientLimits.trustFileBytesMax else {
            throw VaultError(.invalid, "'\(file)' has grown too long: remove what is not needed.", path: file)
        }
        try SmallFile.write(bytes, to: file, mode: 0o600, .isReplaced)
    }

    private func locked(_ body: () throws(VaultError) -> Void) throws(VaultError) {
        let path = LocalPath(file.bytes + Array(".lock".utf8))
        let lock = try OpenFile(path, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        try retrying("lock", path) { flock(lock.descriptor, LOCK_EX) }
        // Said outright, since a child that has been forked and not yet started shares the lock.
        defer { flock(lock.descriptor, LOCK_UN) }
        try body()
    }
}
