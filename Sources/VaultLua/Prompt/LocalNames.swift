import LuaEngine
import VaultModel

/// The names in a local directory, for completion: those of directories end in `/`.
enum LocalNames {
    private static let namesMax = 5000

    /// - Parameter directory: ends in `/`; empty for the current one.
    static func table(_ directory: [UInt8]) -> LuaTable {
        let path = LocalPath(directory.isEmpty ? Array(".".utf8) : directory)
        guard let listing = try? DirectoryListing(path) else { return LuaTable(elements: []) }
        let names = listing.names.prefix(namesMax).map { name in
            let isDirectory = (try? FileStatus(of: path.appending(name), followsLinks: true))?.kind == .directory
            return isDirectory ? name + [UInt8(ascii: "/")] : name
        }
        return LuaTable(elements: names)
    }
}
