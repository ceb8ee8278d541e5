import Glibc
package import VaultModel
import VaultWire

/// Decides whether a server is the right one, by what it showed before anything was sent to it.
package struct ServerVerifier: Sendable {
    private enum Judge: Sendable {
        case key(Digest)
        case authorities(CertificateAuthorities)
    }

    private let judge: Judge
    private let url: ServerURL

    /// - Parameter authorities: the file of the certificate authorities that this machine trusts; read here, once.
    /// - Throws: `login` where the trust is in authorities whose file cannot be read.
    package init(_ trust: Trust, url: ServerURL, authorities: LocalPath) throws(VaultError) {
        self.url = url
        judge =
            switch trust {
            case .pinned(let digest): .key(digest)
            case .authorities: .authorities(try CertificateAuthorities(file: authorities))
            case .authority(let file): .authorities(try CertificateAuthorities(file: file))
            }
    }

    /// Judges the certificates that the server showed. That it holds the key of the first one is what TLS proves.
    ///
    /// - Parameters:
    ///   - chain: in DER, the server's own first; may hold anything.
    ///   - now: seconds since 1970 UTC.
    /// - Throws: `login` for a server that is not the right one, with why, and what to do.
    package func verify(
        _ chain: [[UInt8]], now: Int64 = currentNanoseconds() / 1_000_000_000
    ) async throws(VaultError) {
        switch judge {
        case .key(let expected): try verify(chain, is: expected)
        case .authorities(let authorities):
            if let problem = await authorities.problem(with: chain, of: url, now: now) { throw problem.error }
        }
    }

    /// A pinned key is trusted for what it is, as with ssh: the dates and names around it do not matter.
    private func verify(_ chain: [[UInt8]], is expected: Digest) throws(VaultError) {
        guard let leaf = chain.first else { throw AuthorityProblem.unreadable(url).error }
        let shown: Digest
        do throws(VaultError) {
            shown = try CertificateIdentity(der: leaf).keyFingerprint
        } catch {
            throw VaultError(.login, error.message, cause: error.cause)
        }
        guard shown == expected else {
            throw VaultError(
                .login,
                """
                The key of \(url.place) has changed: somebody may be posing as the server, and nothing was sent to it.
                  the key that was trusted: \(expected.fingerprint)
                  the key it showed now:    \(shown.fingerprint)
                Ask the server's operator. If the change is expected, forget the old key and log in again:
                  minivault login \(url.server) --forget
                  minivault login \(url)
                """)
        }
    }
}
