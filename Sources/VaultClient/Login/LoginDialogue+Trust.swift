package import VaultModel
import VaultWire

extension LoginDialogue {
    /// Forgets the server, so that the next login takes it for a new one. This device's keys stay: a server with
    /// another key cannot use them.
    package static func forget(_ url: ServerURL, _ known: KnownServers, _ terminal: any LoginTerminal)
        throws(VaultError)
    {
        terminal.tell(
            try known.forget(url)
                ? "\(url.place) is forgotten. Next: minivault login \(url)"
                : "\(url.place) was not known here.")
    }

    /// What makes the server the right one, as it is remembered or found out now.
    ///
    /// - Throws: `login` for a server that is not the right one, or that nobody says is.
    func trust() async throws(VaultError) -> Trust {
        let remembered = try known.trust(of: request.url)
        if let authority = request.authority, let remembered, remembered != .authority(authority) {
            throw VaultError(
                .conflict,
                "\(request.url.place) is trusted in another way already. To trust it by '\(authority)', forget that "
                    + "first: minivault login \(request.url.server) --forget", path: known.file)
        }
        let chain = try await server.certificateChain(of: request.url)
        if let remembered {
            let verifier = try ServerVerifier(remembered, url: request.url, authorities: authorities)
            try await verifier.verify(chain, now: now())
            return remembered
        }
        if let authority = request.authority {
            let problem = try await CertificateAuthorities(file: authority)
                .problem(with: chain, of: request.url, now: now())
            if let problem { throw problem.error }
            tellVouched(by: authority)
            return .authority(authority)
        }
        if try await isVouchedFor(chain) { return .authorities }
        return .pinned(try pin(chain))
    }

    private func isVouchedFor(_ chain: [[UInt8]]) async throws(VaultError) -> Bool {
        // A small machine may have no authorities at all.
        guard (try? FileStatus(of: authorities, followsLinks: true)) != nil else { return false }
        let problem = try await CertificateAuthorities(file: authorities)
            .problem(with: chain, of: request.url, now: now())
        switch problem?.kind {
        case nil:
            tellVouched(by: authorities)
            return true
        // As is usual for a server that made its certificate itself.
        case .unknownAuthority: return false
        case .unreadable, .expired, .notYetValid, .otherHost, .unfit:
            terminal.tell(problem?.explanation ?? "")
            return false
        }
    }

    private func tellVouched(by authorities: LocalPath) {
        terminal.tell("A certificate authority in '\(authorities)' vouches for \(request.url.place).")
    }

    /// Lets the user decide by the key's fingerprint.
    private func pin(_ chain: [[UInt8]]) throws(VaultError) -> Digest {
        guard let leaf = chain.first else { throw AuthorityProblem.unreadable(request.url).error }
        let key = try CertificateIdentity(der: leaf).keyFingerprint
        if request.acceptsNew {
            terminal.tell(
                "\(request.url.place) is new here. Its key is trusted once the login is done: \(key.fingerprint)")
            return key
        }
        guard terminal.isInteractive else {
            throw VaultError(
                .login,
                "\(request.url.place) is not known here, and there is no terminal to ask at. Its key is "
                    + "\(key.fingerprint): give --accept-new to trust it, or --ca for an authority's file.")
        }
        terminal.tell(
            """
            \(request.url.place) is new here. Its key has the fingerprint
              \(key.fingerprint)
            'minivault serve' prints the same when it starts: compare them, or ask the server's operator.
            """)
        let answer = try terminal.ask("Is this the right server? Type 'yes' or paste the fingerprint: ")?.trimmed ?? ""
        if answer == "yes" || answer == key.fingerprint { return key }
        throw VaultError(
            .login,
            answer.hasPrefix("SHA256:")
                ? "The fingerprint that you gave is not that of \(request.url.place): another server answered in its "
                    + "place, or the fingerprint is an old one. Nothing was sent to it."
                : "\(request.url.place) is not trusted. Nothing was sent to it, and nothing stored.")
    }
}
