import Foundation
import SwiftASN1
import VaultModel
import X509

/// The certificates of a PEM file.
enum CertificateFile {
    /// The file's certificates in DER, at least one, in their order.
    static func chain(_ path: LocalPath) throws(VaultError) -> [[UInt8]] {
        let documents = try PEMFile.documents(path, what: "certificate")
        let chain = documents.filter { $0.discriminator == Certificate.defaultPEMDiscriminator }.map(\.derBytes)
        guard !chain.isEmpty else {
            throw VaultError(.invalid, "'\(path)' holds no certificate in PEM.", path: path)
        }
        return chain
    }
}

/// The private key of a PEM file.
enum KeyFile {
    /// The file's key, and whether more users than its owner may read it.
    ///
    /// - Throws: `denied` for a key that every user of the machine may read, or others may replace.
    static func load(_ path: LocalPath) throws(VaultError) -> (key: PEMDocument, isReadByGroup: Bool) {
        let documents = try PEMFile.documents(path, what: "key")
        let mode = try FileStatus(of: path, followsLinks: true).mode
        guard mode & 0o026 == 0 else {
            throw VaultError(
                .denied,
                "The key in '\(path)' is open to other users of this machine: allow only the server's user to read it, "
                    + "as by 'chmod 600', and think about making a new one.", path: path)
        }
        // openssl may write the parameters of a curve first.
        guard let key = documents.first(where: { $0.discriminator.hasSuffix("PRIVATE KEY") }) else {
            throw VaultError(.invalid, "'\(path)' holds no private key in PEM.", path: path)
        }
        guard key.discriminator != "ENCRYPTED PRIVATE KEY" else { throw .lockedKey(path) }
        return (key, mode & 0o040 != 0)
    }
}

/// A file of PEM documents (RFC 7468).
private enum PEMFile {
    static func documents(_ path: LocalPath, what: String) throws(VaultError) -> [PEMDocument] {
        let bytes: [UInt8]
        do throws(VaultError) {
            bytes = try SmallFile.read(path, bytesMax: ServerLimits.certificateFileBytesMax)
        } catch {
            throw VaultError(
                error.code, "The server's \(what) cannot be read. \(error.message)", path: path, cause: error.cause)
        }
        let text = String(decoding: bytes, as: UTF8.self)
        do {
            return try PEMDocument.parseMultiple(pemString: text)
        } catch {
            // The traditional form says so in a header (RFC 1421), which a PEM document has no more.
            if text.contains("Proc-Type: 4,ENCRYPTED") { throw .lockedKey(path) }
            throw VaultError(.invalid, "'\(path)' is not a \(what) in PEM.", path: path)
        }
    }
}

extension VaultError {
    fileprivate static func lockedKey(_ path: LocalPath) -> VaultError {
        VaultError(
            .invalid,
            "The key in '\(path)' has a passphrase, which nobody is there to type when the server starts: store it "
                + "without one, as by 'openssl pkey'.", path: path)
    }
}

extension Date {
    /// Seconds since 1970 UTC.
    var seconds: Int64 { Int64(timeIntervalSince1970) }
}
