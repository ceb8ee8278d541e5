import VaultModel
import VaultWire

extension Session {
    /// Works on a request.
    ///
    /// - Throws: what the client is told instead of an answer.
    func answer(_ request: ServerRequest, _ services: ServerServices) async throws(VaultError) -> ServerAnswer {
        await request.turn?.wait()
        defer { request.turn?.end() }
        do {
            switch request.message.body {
            case .save(let save): return try await begin(save)
            case .offer(let offer): return try await take(offer)
            case .put(let put): return try await take(put, request.content)
            case .commit(let commit): return try await self.commit(commit)
            case .abort(let abort): return try await self.abort(abort)
            case .saveSmall(let save): return try await self.save(save, request.content)
            case .openRead(let open): return try await openRead(open)
            case .layout(let layout): return try await self.layout(layout)
            case .fetch(let fetch): return try await self.fetch(fetch)
            case .readSmall(let read): return try await readSmall(read)
            case .closeRead(let close): return try await closeRead(close)
            case .list(let list): return try await self.list(list)
            case .stat(let stat): return try await self.stat(stat)
            case .history(let history): return try await self.history(history)
            case .change(let change): return try await self.change(change)
            case .keep(let keep): return try await self.keep(keep)
            case .collect: return try await collect()
            case .verify(let verify): return try await self.verify(verify)
            case .status: return try await status()
            case .enrolKey(let key): return try await enrol(key, services)
            case .hello, .loginBegin, .loginProof, .cancel, .ping, .hookBegin, .hookReady, .hookLog,
                .hookValue, nil:
                throw VaultError(.internal, "A message that is no request was taken for one.")
            }
        } catch let violation as WireViolation {
            throw VaultError(violation)
        } catch {
            throw told(VaultError(error), of: nil)
        }
    }

    /// What the user may know of why something failed: without the right to read, not what is in its way, nor how much the
    /// vault may store.
    ///
    /// - Parameter name: what was asked for; a hook may have given it another name.
    func told(_ error: VaultError, of name: Name?) -> VaultError {
        let rules = rules
        switch error.code {
        case .exists, .conflict, .notFound:
            // Who is to try again has to know that.
            guard let found = error.name ?? name, !rules.allows(.read, on: found), !error.isRetryable else {
                return error
            }
            let name = name ?? found
            return VaultError(.exists, "The name '\(name)' cannot be used.", name: name)
        case .quota where error.path == nil && !rules.canReadEverything:
            return VaultError(
                .quota, "The vault's quota is used up: remove what is not needed, or ask for more.",
                name: error.name ?? name)
        default: return error
        }
    }

    func denied(_ right: String, _ name: some CustomStringConvertible) -> VaultError {
        VaultError(
            .denied, "\(user) may not \(right) '\(name)' in the vault '\(vaultName)': ask its owner for a grant.")
    }

    func require(_ right: Rights, _ what: String, on name: Name) throws(VaultError) {
        if !rules.allows(right, on: name) { throw denied(what, name).about(name) }
    }

    /// Adding a name or a version takes one of two rights.
    func requireSave(on name: Name) throws(VaultError) {
        let rules = rules
        if !rules.allows(.save, on: name), !rules.allows(.append, on: name) { throw denied("save", name).about(name) }
    }

    func require(_ right: Rights, _ what: String, below prefix: NamePrefix) throws(VaultError) {
        if !rules.allows(right, onAllBelow: prefix) {
            throw denied(what, prefix.top.map { "\($0)" } ?? "everything")
        }
    }
}
