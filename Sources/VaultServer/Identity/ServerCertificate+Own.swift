import VaultModel

extension ServerCertificate {
    /// The certificate of a server that shares its accounts with no other one, made in its data directory on its first
    /// start.
    ///
    /// Clients have pinned its key. So the accounts note that there is one, and what is lost is made again on demand only.
    ///
    /// - Parameter replacesLost: whether to make again what is lost.
    /// - Throws: `integrity` for files that are lost and not made again, `invalid` where they would be made again and
    ///   none is lost.
    static func own(
        in data: LocalPath, of accounts: Accounts, replacesLost: Bool
    ) throws(VaultError) -> ServerCertificate {
        let (certificate, key) = (data.appending("certificate.pem"), data.appending("key.pem"))
        // Before the files: another process that makes them just now notes it last.
        let known = try accounts.ownKey()
        var missing: [LocalPath] = []
        for file in [key, certificate] {
            if try !Accounts.isThere(file) { missing.append(file) }
        }
        // Without a note, a key alone is what a first start leaves that was cut short.
        let isLost = !missing.isEmpty && (known != nil || missing == [key])
        if replacesLost {
            guard isLost else {
                throw VaultError(
                    .invalid,
                    "'\(key)' and '\(certificate)' are not lost: start without --new-certificate. To have others made, "
                        + "move both away, then start with it; clients refuse the server until they log in anew.",
                    path: key)
            }
            if missing == [key] { _ = try SmallFile.remove(certificate) }
        } else if isLost {
            throw loss(of: missing, key: key, fingerprint: known ?? "")
        }
        let own = try loadOrMake(in: data)
        try accounts.noteOwnKey(own.fingerprint)
        return own
    }

    private static func loss(of missing: [LocalPath], key: LocalPath, fingerprint: String) -> VaultError {
        let named = missing.map { "'\($0)'" }.joined(separator: " and ")
        let (verb, pronoun) = missing.count == 1 ? ("is", "it") : ("are", "them")
        let known = fingerprint.isEmpty ? "" : " (\(fingerprint))"
        let consequence =
            missing.contains(key)
            ? "a new key: every client refuses the server until its user has run 'minivault login --forget URL' and "
                + "logged in anew."
            : "a new certificate for the same key, which clients go on to trust."
        return VaultError(
            .integrity,
            "\(named) \(verb) lost. Clients know this server by its key\(known), so no other one is made unasked. Restore "
                + "\(pronoun) from a backup; or start once with 'minivault serve --new-certificate', which makes "
                + consequence, path: missing[0])
    }
}
