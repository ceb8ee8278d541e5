import Foundation
import SwiftASN1
package import VaultModel
import VaultWire
@_spi(FixedExpiryValidationTime) import X509

/// Certificate authorities of a PEM file, and the judgement of what they vouch for.
package struct CertificateAuthorities: Sendable {
    package let file: LocalPath
    private let roots: [Certificate]

    /// - Throws: `login` for a file that cannot be read or holds no authority: nothing can be trusted by it.
    package init(file: LocalPath) throws(VaultError) {
        self.file = file
        let documents: [PEMDocument]
        do {
            let bytes = try SmallFile.read(file, bytesMax: ClientLimits.authorityFileBytesMax)
            documents = try PEMDocument.parseMultiple(pemString: String(decoding: bytes, as: UTF8.self))
        } catch {
            throw VaultError(
                .login,
                "The certificate authorities in '\(file)' cannot be read: name another file by --ca or "
                    + "MINIVAULT_CA.", path: file, cause: (error as? VaultError)?.message)
        }
        // One that is too odd to be read spoils none of the others.
        roots = documents.compactMap { try? Certificate(pemDocument: $0) }
        guard !roots.isEmpty else {
            throw VaultError(
                .login, "'\(file)' holds no certificate authority in PEM: name another file by --ca or MINIVAULT_CA.",
                path: file)
        }
    }

    /// Why the authorities do not vouch for a server; nil where they do.
    ///
    /// The rules are those of RFC 5280 and RFC 6125. The chain is the server's and may hold anything.
    ///
    /// - Parameters:
    ///   - chain: the certificates that the server of `url` showed, in DER, its own first.
    ///   - now: seconds since 1970 UTC.
    package func problem(with chain: [[UInt8]], of url: ServerURL, now: Int64) async -> AuthorityProblem? {
        // Of many certificates of one name, the ways to put them in order would be tried without end.
        guard chain.count <= ClientLimits.certificatesMax,
            chain.allSatisfy({ $0.count <= WireLimits.certificateBytesMax }),
            let leaf = chain.first.flatMap({ try? Certificate(derEncoded: $0) })
        else { return .unreadable(url) }
        let others = chain.dropFirst().compactMap { try? Certificate(derEncoded: $0) }
        let host = ServerIdentityPolicy(
            serverHostname: url.isAddress ? nil : url.host, serverIP: url.address?.text)
        var verifier = Verifier(rootCertificates: CertificateStore(roots)) {
            RFC5280Policy(fixedExpiryValidationTime: Date(timeIntervalSince1970: TimeInterval(now)))
            host
            ServerUsePolicy()
        }
        let result = await verifier.validate(leaf: leaf, intermediates: CertificateStore(others))
        guard case .couldNotValidate(let failures) = result else { return nil }
        let problems = failures.map { problem(with: $0.chain, host, url, now: now) }
        // A chain that only bears the wrong dates says less than one that has another fault.
        let isOfTime: (AuthorityProblem) -> Bool = { $0.kind == .expired || $0.kind == .notYetValid }
        if let problem = problems.first(where: { !isOfTime($0) }) ?? problems.first { return problem }
        // Critical extensions that nobody understands end the search before any chain is tried.
        return leaf.hasUnknownCriticalExtension ? .unfit(url) : .unknownAuthority(url, file)
    }

    /// The reason why a chain that leads to an authority was refused.
    ///
    /// The library's own words are not repeated: they hold what the server wrote into its certificate.
    private func problem(
        with chain: UnverifiedCertificateChain, _ host: ServerIdentityPolicy, _ url: ServerURL, now: Int64
    ) -> AuthorityProblem {
        for (index, certificate) in chain.enumerated() {
            let (start, end) = (certificate.notValidBefore.seconds, certificate.notValidAfter.seconds)
            if now > end { return .expired(url, isLeaf: index == 0, on: end, now: now) }
            if now < start { return .notYetValid(url, isLeaf: index == 0, from: start, now: now) }
        }
        var host = host
        if case .failsToMeetPolicy = host.chainMeetsPolicyRequirements(chain: chain) {
            return .otherHost(url, names: chain.leaf.printableNames)
        }
        return .unfit(url)
    }
}

extension Date {
    fileprivate var seconds: Int64 { Int64(timeIntervalSince1970) }
}
