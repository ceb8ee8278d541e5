package import VaultModel

/// All hooks of a file, in the order in which they run.
package struct HookTable: Sendable {
    package let hooks: [HookDeclaration]
    private let byKind: [HookKind: [HookDeclaration]]
    private var globs: [Int: Glob] = [:]

    /// - Throws: `invalid` for a pattern that is none.
    package init(_ hooks: [HookDeclaration]) throws(VaultError) {
        self.init(sorted: hooks.sorted { ($1.priority, $0.number) < ($0.priority, $1.number) })
        for hook in hooks {
            globs[hook.number] = try hook.pattern.map { (pattern) throws(VaultError) in try Glob(named: pattern) }
        }
    }

    private init(sorted hooks: [HookDeclaration]) {
        self.hooks = hooks
        byKind = Dictionary(grouping: hooks, by: \.kind)
    }

    package static let empty = HookTable(sorted: [])

    package func wants(_ kind: HookKind) -> Bool { byKind[kind] != nil }

    /// The hooks to run.
    ///
    /// - Parameters:
    ///   - name: what it is about; nil for what is about no name.
    ///   - depth: how many hooks stand between somebody's request and it.
    package func hooks(for kind: HookKind, _ name: Name?, depth: Int) -> [HookDeclaration] {
        guard let hooks = byKind[kind], depth <= HookLimits.depthMax else { return [] }
        return hooks.filter { hook in
            if depth > 0, !hook.hearsHooks { return false }
            guard let glob = globs[hook.number], let name else { return true }
            return glob.matches(name, isDirectory: false)
        }
    }
}
