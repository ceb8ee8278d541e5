/// Every bound of the server.
package enum ServerLimits {
    /// Connections in all, of one address, and of one user.
    package static let connectionsMax = 4096
    package static let connectionsPerAddressMax = 1024
    package static let connectionsPerUserMax = 2048
    /// Seconds from the connection's start to the end of its login.
    package static let loginSecondsMax = 20
    /// Seconds for which a connection may say nothing.
    package static let idleSecondsMax = 900
    /// Seconds within which more bytes of a request's content must come, or an answer's go.
    package static let stallSecondsMax = 60
    /// Seconds for which a session outlives its last connection.
    package static let lingerSeconds = 120
    /// Bytes of content that all requests hold in memory together.
    package static let contentBytesMax = 256 << 20
    /// Open uploads and open reads of one session.
    package static let uploadsPerSessionMax = 256
    package static let readsPerSessionMax = 1024
    /// Seconds that a graceful stop waits for what runs.
    package static let stopSecondsMax = 20
}
