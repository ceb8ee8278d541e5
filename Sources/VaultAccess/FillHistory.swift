import Glibc
import VaultClient
package import VaultModel

/// The local directories that prefixes of vaults were last filled from, in `$XDG_STATE_HOME/minivault/pushed`.
///
/// Two trees whose directories have the same last part go to the same prefix, where each push would take the other one's
/// files for changed or gone: whoever does that should be told. A history that cannot be read or written says nothing.
package enum FillHistory {
    private static let linesMax = 1000
    private static let bytesMax = 8 << 20

    /// Takes note that `prefix` of `vault` is filled from `root`, and tells where it, or a prefix above or below it, was
    /// last filled from, if elsewhere.
    ///
    /// - Parameter isDryRun: whether it is told alone, since nothing is filled.
    package static func note(
        _ vault: any Vault, _ prefix: NamePrefix, _ root: LocalPath, isDryRun: Bool = false, tell: (String) -> Void
    ) {
        guard let file = try? UserDirectories.current.stateHome.appending("minivault/pushed"),
            let place = place(of: vault), let root = canonical(root)
        else { return }
        let key = encoded(place) + [tab] + encoded(prefix.top?.bytes ?? [])
        var lines = lines(of: file)
        let index = lines.firstIndex { $0.starts(with: key + [tab]) }
        let line = key + [tab] + encoded(root.bytes)
        // Anything that was filled before this prefix was filled last has been told.
        let other = neighbour(of: prefix, root, in: lines.suffix(from: index.map { $0 + 1 } ?? 0), encoded(place))
        if let other {
            tell(
                "'\(printable(other.prefix))' was last filled from '\(printable(other.root))', and '\(prefix)' is filled "
                    + "from '\(root)' now.")
        }
        if let index {
            if lines[index] == line, other == nil { return }
            if lines[index] != line {
                let before = printable(decoded(lines[index].dropFirst(key.count + 1)))
                tell("'\(prefix)' was last filled from '\(before)', and is filled from '\(root)' now.")
            }
            lines.remove(at: index)
        }
        if isDryRun { return }
        lines.append(line)
        do throws(VaultError) {
            try SmallFile.makeDirectory(file.parent)
            let text = lines.suffix(linesMax).flatMap { $0 + [newline] }
            try SmallFile.write(text, to: file, mode: 0o600, .isReplaced)
        } catch {
            // The next push says nothing then.
        }
    }

    /// A prefix above or below `prefix` that was filled from a directory which does not belong to `root` in the same way.
    private static func neighbour(
        of prefix: NamePrefix, _ root: LocalPath, in lines: ArraySlice<[UInt8]>, _ place: [UInt8]
    ) -> (prefix: [UInt8], root: [UInt8])? {
        let mine = prefix.top?.bytes ?? []
        for line in lines {
            let parts = line.split(separator: tab, omittingEmptySubsequences: false)
            guard parts.count == 3, parts[0].elementsEqual(place) else { continue }
            let (other, filled) = (decoded(parts[1]), decoded(parts[2]))
            if other == mine { continue }
            if let below = relativePath(of: other, below: mine), filled != root.appending(below).bytes {
                return (other, filled)
            }
            if let above = relativePath(of: mine, below: other), LocalPath(filled).appending(above).bytes != root.bytes
            {
                return (other, filled)
            }
        }
        return nil
    }

    /// The local path from one name to another below it; nil for one that is not.
    private static func relativePath(of name: [UInt8], below top: [UInt8]) -> [UInt8]? {
        guard let name = try? Name(name) else { return nil }
        guard let top = try? Name(top) else { return name.pathBytes }
        let prefix = NamePrefix(top)
        return name != top && prefix.contains(name) ? prefix.relativePath(of: name) : nil
    }

    private static func place(of vault: any Vault) -> [UInt8]? {
        if let directory = vault.directory { return canonical(directory)?.bytes }
        var other = vault
        while let forwarding = other as? any ForwardingVault { other = forwarding.other }
        return (other as? RemoteVault).map { Array("\($0.url)".utf8) }
    }

    private static func canonical(_ path: LocalPath) -> LocalPath? {
        guard let text = path.withCString({ realpath($0, nil) }) else { return nil }
        defer { free(text) }
        return LocalPath(UnsafeRawBufferPointer(start: text, count: strlen(text)))
    }

    private static func lines(of file: LocalPath) -> [[UInt8]] {
        guard let bytes = try? SmallFile.read(file, bytesMax: bytesMax) else { return [] }
        return bytes.split(separator: newline).map { Array($0) }
    }

    private static let tab = UInt8(ascii: "\t")
    private static let newline = UInt8(ascii: "\n")
    private static let percent = UInt8(ascii: "%")

    /// Bytes that are no blank, no control character and no percent sign as they are, others as `%` and two digits.
    private static func encoded(_ bytes: [UInt8]) -> [UInt8] {
        bytes.flatMap { byte -> [UInt8] in
            if byte > 0x20, byte != 0x7F, byte != percent { return [byte] }
            return [percent] + Array(String(UInt16(byte) + 0x100, radix: 16).dropFirst().utf8)
        }
    }

    private static func decoded(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var decoded: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            if byte == percent, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) {
                decoded.append(value)
                rest = rest.dropFirst(2)
            } else {
                decoded.append(byte)
            }
        }
        return decoded
    }
}
