package import Crypto
import Foundation
import Glibc
package import VaultModel

/// This device's keys: an Ed25519 key for each user of each server, so that none of them can be traced to another.
///
/// Each is a file that only its owner may read, with a line that says what it is and the key in base 64.
package struct DeviceKeys: Sendable {
    package let directory: LocalPath

    private static let label = "minivault device key 1"

    package init(directory: LocalPath) {
        self.directory = directory
    }

    /// The file of the key with which `user` logs in at `url`.
    ///
    /// - Throws: `invalid` for a name that no user has.
    package func file(for user: String, at url: ServerURL) throws(VaultError) -> LocalPath {
        // Neither a user's name nor a place has a slash, and neither starts with a dot.
        let name = "\(try UserName(user))@\(url.place)"
        guard name.utf8.count > Int(NAME_MAX) else { return directory.appending(name) }
        return directory.appending("\(user)@\(Digest(of: Array(url.place.utf8)))")
    }

    /// The key with which `user` logs in at `url`; nil where this device has none.
    ///
    /// - Throws: `denied` where others may read or replace the key, `invalid` where the file holds none.
    package func load(for user: String, at url: ServerURL) throws(VaultError) -> Curve25519.Signing.PrivateKey? {
        let path = try file(for: user, at: url)
        let file: OpenFile
        do throws(VaultError) {
            file = try OpenFile(path, flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
        } catch  where error.code == .notFound {
            return nil
        }
        guard try file.status.mode & 0o077 == 0 else {
            throw VaultError(
                .denied,
                "This device's key in '\(path)' is open to other users of this machine, and so no longer yours "
                    + "alone: remove the file and run 'minivault login \(url.withUser(user))' for a new one.",
                path: path)
        }
        let lines = try SmallFile.read(file, bytesMax: ClientLimits.keyFileBytesMax).split(
            separator: UInt8(ascii: "\n"))
        guard lines.count == 2, lines[0].elementsEqual(DeviceKeys.label.utf8),
            let bytes = Data(base64Encoded: Data(lines[1])),
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes)
        else {
            throw VaultError(
                .invalid,
                "'\(path)' does not hold a device key that this version can read: remove the file and run "
                    + "'minivault login \(url.withUser(user))' for a new one.", path: path)
        }
        return key
    }

    /// Makes the key with which `user` logs in at `url`, or loads the one that is there already.
    package func make(for user: String, at url: ServerURL) throws(VaultError) -> Curve25519.Signing.PrivateKey {
        if let key = try load(for: user, at: url) { return key }
        let path = try file(for: user, at: url)
        try SmallFile.makeDirectory(directory)
        try retrying("set the mode of", directory) { directory.withCString { chmod($0, 0o700) } }
        let key = Curve25519.Signing.PrivateKey()
        let text = "\(DeviceKeys.label)\n\(key.rawRepresentation.base64EncodedString())\n"
        do throws(VaultError) {
            try SmallFile.write(Array(text.utf8), to: path, mode: 0o600, .isKept)
            return key
        } catch  where error.code == .exists {
            // Another process was faster, and its key may be enrolled by now.
            guard let other = try load(for: user, at: url) else { throw error }
            return other
        }
    }

    /// Removes the key with which `user` logs in at `url`.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    package func remove(for user: String, at url: ServerURL) throws(VaultError) -> Bool {
        try SmallFile.remove(try file(for: user, at: url))
    }
}
