/// Which files of a tree take part in a push, pull or comparison.
///
/// A path takes part when an `include` pattern matches it or a directory above it, or there are none;
/// and no `exclude` pattern does. In either list the last pattern that matches decides, and one behind
/// a `!` says no, as in gitignore(5).
package struct TreeFilter: Sendable, Hashable {
    private struct Rule: Hashable {
        var glob: Glob
        var isNegated: Bool
    }

    private var includes: [Rule] = []
    private var excludes: [Rule] = []

    package static let everything = TreeFilter()

    private init() {}

    /// - Throws: `invalid` for a pattern that is none.
    package init(include: [String] = [], exclude: [String] = []) throws(VaultError) {
        includes = try TreeFilter.rules(include)
        excludes = try TreeFilter.rules(exclude)
    }

    private static func rules(_ patterns: [String]) throws(VaultError) -> [Rule] {
        var rules: [Rule] = []
        for pattern in patterns {
            let isNegated = pattern.hasPrefix("!")
            rules.append(Rule(glob: try Glob(isNegated ? String(pattern.dropFirst()) : pattern), isNegated: isNegated))
        }
        return rules
    }

    /// Whether the file, link or empty directory at `path` takes part, given that the directories above
    /// it do.
    package func takes(_ path: [UInt8], isDirectory: Bool = false) -> Bool {
        if TreeFilter.decides(excludes, path, isDirectory) == true { return false }
        return includes.isEmpty || isIncluded(path, isDirectory)
    }

    /// Whether anything below the directory at `path` may take part.
    package func descends(into path: [UInt8]) -> Bool {
        TreeFilter.decides(excludes, path, true) != true
    }

    /// Whether `path` takes part, asked without a walk through the directories above it.
    package func takesAlone(_ path: [UInt8], isDirectory: Bool) -> Bool {
        for index in path.indices where path[index] == slash {
            if !descends(into: Array(path[..<index])) { return false }
        }
        return takes(path, isDirectory: isDirectory)
    }

    private func isIncluded(_ path: [UInt8], _ isDirectory: Bool) -> Bool {
        if let answer = TreeFilter.decides(includes, path, isDirectory) { return answer }
        for index in path.indices.reversed() where path[index] == slash {
            if let answer = TreeFilter.decides(includes, Array(path[..<index]), true) { return answer }
        }
        return false
    }

    private static func decides(_ rules: [Rule], _ path: [UInt8], _ isDirectory: Bool) -> Bool? {
        rules.last { $0.glob.matches(path, isDirectory: isDirectory) }.map { !$0.isNegated }
    }
}
