import NIOCore
import NIOSSL
import VaultModel
import VaultTransport
import VaultWire

/// A certificate made ready for connections, with what logins are bound to.
///
/// Each connection keeps the one that it was accepted with, whatever is loaded later.
struct PresentedCertificate: Sendable {
    let context: NIOSSLContext
    let identity: CertificateIdentity

    init(_ certificate: ServerCertificate) throws(VaultError) {
        identity = try CertificateIdentity(der: certificate.chain[0])
        do {
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: try certificate.chain.map {
                    .certificate(try NIOSSLCertificate(bytes: $0, format: .der))
                },
                privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(certificate.keyPEM.utf8), format: .pem)))
            configuration.minimumTLSVersion = .tlsv13
            configuration.applicationProtocols = [ApplicationProtocol.minivault.text ?? ""]
            // For a client that no longer answers; before, it had its time to read why.
            configuration.shutdownTimeout = .seconds(1)
            context = try NIOSSLContext(configuration: configuration)
        } catch {
            throw VaultError(.invalid, "The server's certificate and key cannot be used for TLS.", cause: "\(error)")
        }
    }
}
