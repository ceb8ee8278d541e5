package import VaultModel

extension Glob {
    /// The pattern with this text.
    package init(_ pattern: String) throws(VaultError) {
        try self.init(Array(pattern.utf8))
    }
}

extension TreeFilter {
    /// The filter with patterns of these texts.
    package init(include: [String] = [], exclude: [String]) throws(VaultError) {
        try self.init(include: include.map { Array($0.utf8) }, exclude: exclude.map { Array($0.utf8) })
    }

    package init(include: [String]) throws(VaultError) {
        try self.init(include: include, exclude: [String]())
    }
}
