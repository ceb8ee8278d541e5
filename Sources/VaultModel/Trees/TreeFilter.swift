import Glibc
import Synchronization

/// Which files of a tree take part in a push, pull or comparison.
///
/// A path takes part when an `include` pattern matches it or a directory above it, or there are none;
/// and no `exclude` pattern does. In either list the last pattern that matches decides, and one behind
/// a `!` says no, as in gitignore(5). Copies share what they know of the patterns that have matched something.
package struct TreeFilter: Sendable {
    private struct Rule {
        /// As it was given.
        var pattern: [UInt8]
        var glob: Glob
        var isNegated: Bool
        let use = PatternUse()

        /// - Throws: `invalid` for a pattern that is none.
        init(_ pattern: [UInt8]) throws(VaultError) {
            self.pattern = pattern
            isNegated = pattern.first == UInt8(ascii: "!")
            glob = try Glob(isNegated ? Array(pattern.dropFirst()) : pattern)
        }
    }

    private var includes: [Rule] = []
    private var excludes: [Rule] = []

    package static let everything = TreeFilter()

    private init() {}

    /// - Throws: `invalid` for a pattern that is none.
    package init(include: [[UInt8]] = [], exclude: [[UInt8]] = []) throws(VaultError) {
        includes = try include.map { (pattern) throws(VaultError) in try Rule(pattern) }
        excludes = try exclude.map { (pattern) throws(VaultError) in try Rule(pattern) }
    }

    /// The patterns that have matched nothing of what the filter was asked about, as they were given.
    package var unmatched: [[UInt8]] {
        (includes + excludes).filter { !$0.use.hasMatched }.map(\.pattern)
    }

    /// Checks that no pattern is the path of a file of this machine, where it could match nothing.
    ///
    /// - Throws: `invalid` for a pattern that begins with the path of `root`, unless it is also one below `root`.
    package func check(below root: LocalPath) throws(VaultError) {
        let rooted = (includes + excludes).filter { rule in
            rule.pattern.dropFirst(rule.isNegated ? 1 : 0).first == slash
        }
        if rooted.isEmpty { return }
        for top in TreeFilter.absolutePaths(of: root) {
            for rule in rooted {
                let path = rule.pattern.dropFirst(rule.isNegated ? 1 : 0)
                guard path.starts(with: top), path.count == top.count || path[path.startIndex + top.count] == slash,
                    (try? FileStatus(of: root.appending(Array(top.dropFirst())))) == nil
                else { continue }
                let rest = path.dropFirst(top.count)
                let wayOut = rest.count > 1 ? ": write '\(printable(rest))'" : ""
                throw VaultError(
                    .invalid,
                    "'\(printable(path))' matches nothing: patterns are relative to '\(printable(top))', "
                        + "the top of the tree\(wayOut).")
            }
        }
    }

    /// The path of a directory from the root of the file system, as it was named and without links; not `/` itself.
    private static func absolutePaths(of root: LocalPath) -> [[UInt8]] {
        func real(_ path: LocalPath) -> [UInt8]? {
            guard let real = path.withCString({ realpath($0, nil) }) else { return nil }
            defer { free(real) }
            return Array(UnsafeRawBufferPointer(start: real, count: strlen(real)))
        }
        var named = root
        if named.bytes.first != slash {
            guard let here = real(LocalPath(".")) else { return [] }
            named = LocalPath(here).appending(named.bytes)
        }
        while named.bytes.count > 1, named.bytes.last == slash { named = LocalPath(named.bytes.dropLast()) }
        return [named.bytes, real(root)].compactMap { $0 }.filter { $0.count > 1 }
    }

    /// Whether the file, link or empty directory at `path` takes part, given that the directories above
    /// it do.
    package func takes(_ path: [UInt8], isDirectory: Bool = false) -> Bool {
        // Both lists are asked, since a pattern of either has matched something then.
        let isExcluded = TreeFilter.decides(excludes, path, isDirectory) == true
        let isIncluded = includes.isEmpty || isIncluded(path, isDirectory)
        return isIncluded && !isExcluded
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

    /// What the last rule that matches says. Those before it are asked too, until each has matched something.
    private static func decides(_ rules: [Rule], _ path: [UInt8], _ isDirectory: Bool) -> Bool? {
        var answer: Bool?
        for rule in rules.reversed() {
            if answer != nil, rule.use.hasMatched { continue }
            guard rule.glob.matches(path, isDirectory: isDirectory) else { continue }
            rule.use.note()
            if answer == nil { answer = !rule.isNegated }
        }
        return answer
    }
}

/// Whether a pattern has matched anything, known to all copies of its filter.
private final class PatternUse: Sendable {
    private let isMatched = Atomic(false)

    var hasMatched: Bool { isMatched.load(ordering: .relaxed) }

    func note() {
        // A line of memory that is only read is not fetched from another processor again and again.
        if !hasMatched { isMatched.store(true, ordering: .relaxed) }
    }
}
