import Glibc
import VaultModel
import VaultStore

extension ServerCertificate {
    private static let names = (key: "server key", certificate: "server certificate")

    /// Sees to it that all servers which share accounts have the same certificate and key of their own: those of the
    /// first one, which the accounts keep. Their data directories have copies.
    ///
    /// - Returns: the files of the certificate and the key. A server's own, from before it shared anything, stay.
    /// - Throws: what making, reading or writing them throws.
    static func share(
        in accounts: Accounts, data: LocalPath
    ) throws(VaultError) -> (certificate: LocalPath, key: LocalPath) {
        let directory = data.appending("shared")
        try LocalDirectories.make(directory, mode: 0o700)
        let (certificate, key) = (directory.appending("certificate.pem"), directory.appending("key.pem"))
        if try accounts.secret(names.key) == nil {
            _ = try loadOrMake(in: directory)
            let bytesMax = ServerLimits.certificateFileBytesMax
            try accounts.keepSecrets([
                (names.certificate, try SmallFile.read(certificate, bytesMax: bytesMax)),
                (names.key, try SmallFile.read(key, bytesMax: bytesMax)),
            ])
        }
        // Another server may have been first.
        for (name, path, mode) in [(names.key, key, 0o600), (names.certificate, certificate, 0o644)] {
            guard let kept = try accounts.secret(name) else { continue }
            try SmallFile.write(kept, to: path, mode: mode_t(mode), .isReplaced)
            DataOwner.inherit(path)
        }
        return (certificate, key)
    }
}
