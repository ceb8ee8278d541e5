/// What a server grants its peers before it ends their connections.
package struct ServerBounds: Sendable {
    /// Connections in all, of one address, and of one user.
    package var connections = ServerLimits.connectionsMax
    package var connectionsPerAddress = ServerLimits.connectionsPerAddressMax
    package var connectionsPerUser = ServerLimits.connectionsPerUserMax
    /// Bytes of content that all requests hold in memory together; one user's hold half of it.
    package var contentBytes = ServerLimits.contentBytesMax
    /// From a connection's start to the end of its login.
    package var login = Duration.seconds(ServerLimits.loginSecondsMax)
    /// For which a connection may say nothing.
    package var idle = Duration.seconds(ServerLimits.idleSecondsMax)
    /// Within which more bytes of a request's content must come, and more of an answer go.
    package var stall = Duration.seconds(ServerLimits.stallSecondsMax)

    package init() {}
}
