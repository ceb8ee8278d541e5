import VaultModel

/// The true sentence about what was looked for and is not there.
extension VaultError {
    /// The failure to find a name, with what there is instead: other versions, other times, names below it.
    func explained(_ selector: VaultModel.Selector, by vault: any Vault) async -> VaultError {
        guard code == .notFound, let name else { return self }
        do throws(VaultError) {
            if let text = try await vault.reason(ofAbsence: name, selector) {
                return VaultError(.notFound, text, name: name)
            }
        } catch {
            // Whoever may not look further gets the plain sentence.
        }
        return self
    }
}

extension Vault {
    /// The failure that says so if there is nothing under a prefix, which may be mistyped; nil if there is something, for
    /// a vault that holds nothing at all, and where the user may not look.
    ///
    /// - Parameter includesVersions: whether what was removed counts.
    func absence(
        of prefix: NamePrefix, at selector: VaultModel.Selector = .current, includesVersions: Bool = false
    ) async throws(VaultError) -> VaultError? {
        do throws(VaultError) {
            let query = ListQuery(
                prefix: prefix, selector: selector, includesVersions: includesVersions, limit: 1)
            guard try await list(query).entries.isEmpty else { return nil }
            if let top = prefix.top { return await VaultError.absent(top, selector).explained(selector, by: self) }
            guard case .time(let time) = selector, try await hasHistory(.all) else { return nil }
            return VaultError(.notFound, "The vault held nothing at \(Format.time(time)).")
        } catch {
            if error.code == .denied { return nil }
            throw error
        }
    }

    fileprivate func reason(
        ofAbsence name: Name, _ selector: VaultModel.Selector
    ) async throws(VaultError) -> String? {
        let versions: [Entry]
        do throws(VaultError) {
            versions = try await history(name)
        } catch {
            guard error.code == .notFound else { throw error }
            return try await reasonOfNamesBelow(name, selector)
        }
        guard let first = versions.first, let last = versions.last else { return nil }
        let command = "'minivault history \(name)'"
        switch selector {
        case .version(let number):
            let removal = versions.first { $0.version == number && $0.kind == .removed }
            if removal != nil { return "Version \(number) of '\(name)' is its removal: \(command) lists the others." }
            let others =
                first.version == last.version
                ? "its only version is \(first.version)."
                : "\(command) lists those from \(first.version) to \(last.version)."
            return "'\(name)' has no version \(number): \(others)"
        case .time(let time) where time < first.savedAt:
            return
                "'\(name)' held nothing at \(Format.time(time)): its first version is of \(Format.time(first.savedAt))."
        case .time(let time):
            return "'\(name)' held nothing at \(Format.time(time)): \(command) tells when it was removed."
        case .current, .sequence:
            if let text = try await reasonOfNamesBelow(name, selector) { return text }
            return "'\(name)' was removed at \(Format.time(last.savedAt)): \(command) lists its versions."
        }
    }

    /// Says of a name that never held anything itself that there are names below it, or were.
    private func reasonOfNamesBelow(
        _ name: Name, _ selector: VaultModel.Selector
    ) async throws(VaultError) -> String? {
        let prefix = NamePrefix(name)
        let below = try await list(ListQuery(prefix: prefix, limit: 2)).entries
        if below.contains(where: { $0.name != name }) {
            if case .time(let time) = selector {
                return "There was nothing under '\(name)' at \(Format.time(time)): the names below it came later."
            }
            return
                "'\(name)' is no file but has names below it: 'minivault list \(name)' shows them, 'pull' reads them."
        }
        guard below.isEmpty, try await hasHistory(prefix, behind: name) else { return nil }
        if case .time(let time) = selector {
            return
                "There was nothing under '\(name)' at \(Format.time(time)): 'minivault list \(name) --versions' shows "
                + "what was there at other times."
        }
        return
            "'\(name)' is no file, and the names below it were removed: 'minivault list \(name) --versions' shows them."
    }

    private func hasHistory(_ prefix: NamePrefix, behind name: Name? = nil) async throws(VaultError) -> Bool {
        let query = ListQuery(prefix: prefix, includesVersions: true, after: name, limit: 1)
        return try await !list(query).entries.isEmpty
    }
}
