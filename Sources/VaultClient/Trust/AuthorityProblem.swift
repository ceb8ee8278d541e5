package import VaultModel

/// Why no certificate authority makes a server trusted.
package struct AuthorityProblem: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// What the server showed is no chain of certificates.
        case unreadable
        case expired
        case notYetValid
        case otherHost
        case unknownAuthority
        /// The chain breaks a rule of RFC 5280, or is made for another use.
        case unfit
    }

    package var kind: Kind
    /// A finished sentence.
    package var explanation: String
    /// A finished sentence on what to do next.
    package var advice: String

    /// The refusal to talk to the server.
    package var error: VaultError { VaultError(.login, "\(explanation) \(advice)") }
}

extension AuthorityProblem {
    static func unreadable(_ url: ServerURL) -> AuthorityProblem {
        AuthorityProblem(
            kind: .unreadable, explanation: "\(url.place) showed a certificate that cannot be read.",
            advice: "Check the host and the port; the server's operator can look at its certificate with openssl.")
    }

    static func expired(_ url: ServerURL, isLeaf: Bool, on end: Int64, now: Int64) -> AuthorityProblem {
        AuthorityProblem(
            kind: .expired,
            explanation: "\(subject(url, isLeaf: isLeaf)) expired on \(TimeText.utc(end)).",
            advice: "This machine's clock says \(TimeText.utc(now)): if that is right, the server's operator must "
                + "renew the certificate, else set the clock.")
    }

    static func notYetValid(_ url: ServerURL, isLeaf: Bool, from start: Int64, now: Int64) -> AuthorityProblem {
        AuthorityProblem(
            kind: .notYetValid,
            explanation: "\(subject(url, isLeaf: isLeaf)) is not valid before \(TimeText.utc(start)).",
            advice: "This machine's clock says \(TimeText.utc(now)), which is probably wrong: set it and try again.")
    }

    /// - Parameter names: what the certificate is for, ready to print.
    static func otherHost(_ url: ServerURL, names: [String]) -> AuthorityProblem {
        let what = names.isEmpty ? "names no machine" : "is for " + names.joined(separator: ", ")
        return AuthorityProblem(
            kind: .otherHost,
            explanation: "The certificate that \(url.place) showed \(what), and not for '\(url.host)'.",
            advice: "Use the server's name as its certificate has it; if that is what you did, another machine "
                + "answered in its place.")
    }

    static func unknownAuthority(_ url: ServerURL, _ file: LocalPath) -> AuthorityProblem {
        AuthorityProblem(
            kind: .unknownAuthority,
            explanation: "No certificate authority in '\(file)' vouches for \(url.place).",
            advice: "Run 'minivault login \(url)' to look at its key's fingerprint and pin it, or name the "
                + "authority's file by --ca or MINIVAULT_CA.")
    }

    static func unfit(_ url: ServerURL) -> AuthorityProblem {
        AuthorityProblem(
            kind: .unfit,
            explanation: "The certificates that \(url.place) showed break the rules for those of servers (RFC 5280).",
            advice: "The server's operator must get a certificate that is made for a TLS server, or use the one that "
                + "minivault makes itself, which 'minivault login \(url)' pins.")
    }

    private static func subject(_ url: ServerURL, isLeaf: Bool) -> String {
        isLeaf ? "The certificate of \(url.place)" : "A certificate that vouches for \(url.place)"
    }
}
