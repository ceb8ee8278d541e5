package import VaultModel

/// Rights below one prefix of a vault.
package struct Grant: Hashable, Sendable {
    package var prefix: NamePrefix
    package var rights: Rights

    package init(prefix: NamePrefix, rights: Rights) {
        self.prefix = prefix
        self.rights = rights
    }
}

extension Grant: CustomStringConvertible {
    package var description: String {
        prefix.top.map { "\(rights) below '\($0)'" } ?? "\(rights)"
    }
}

/// All that one user may do in one vault: what any of the grants allows.
package struct AccessRules: Hashable, Sendable {
    package let grants: [Grant]

    package init(_ grants: [Grant]) {
        self.grants = grants
    }

    package func allows(_ right: Rights, on name: Name) -> Bool {
        grants.contains { $0.rights.contains(right) && $0.prefix.contains(name) }
    }

    /// Whether everything below a prefix is allowed by one grant.
    package func allows(_ right: Rights, onAllBelow prefix: NamePrefix) -> Bool {
        grants.contains { $0.rights.contains(right) && $0.prefix.covers(prefix) }
    }

    package var canReadEverything: Bool { allows(.read, onAllBelow: .all) }

    /// The parts of `prefix` that may be read: none of them within another, in the order of bytes.
    package func readablePrefixes(within prefix: NamePrefix) -> [NamePrefix] {
        if allows(.read, onAllBelow: prefix) { return [prefix] }
        let within = Set(grants.filter { $0.rights.contains(.read) && prefix.covers($0.prefix) }.map(\.prefix))
        return within.filter { part in !within.contains { $0 != part && $0.covers(part) } }
            .sorted { ($0.top?.bytes ?? []).lexicographicallyPrecedes($1.top?.bytes ?? []) }
    }

    /// Whether anything at all is allowed at or below `prefix`.
    package func hasAnyRight(within prefix: NamePrefix) -> Bool {
        grants.contains { !$0.rights.isEmpty && ($0.prefix.covers(prefix) || prefix.covers($0.prefix)) }
    }
}

extension NamePrefix {
    /// Whether all names of `other` are this prefix's too.
    fileprivate func covers(_ other: NamePrefix) -> Bool {
        guard let top = other.top else { return self.top == nil }
        return contains(top)
    }
}
