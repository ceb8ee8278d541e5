package import VaultModel

/// What makes a server the right one for a client.
package enum Trust: Hashable, Sendable {
    /// The key that the server showed when it was trusted first, by its SHA-256.
    case pinned(Digest)
    /// The certificate authorities that this machine trusts.
    case authorities
    /// The certificate authorities in a file.
    case authority(LocalPath)
}
