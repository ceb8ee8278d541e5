import Logging

/// What a server grants its peers before it ends their connections.
package struct ServerBounds: Sendable {
    /// Connections in all, of one address, and of one user.
    package var connections = ServerLimits.connectionsMax
    package var connectionsPerAddress = ServerLimits.connectionsPerAddressMax
    package var connectionsPerUser = ServerLimits.connectionsPerUserMax
    /// Bytes of memory for what all users cause the server to hold.
    package var heldBytes = ServerLimits.heldBytes(ofProcess: ServerLimits.memoryBytes)
    /// For which somebody waits for memory before a slow peer has to give his up, and after which one is slow.
    package var patience = Duration.seconds(ServerLimits.memoryPatienceSeconds)
    package var grace = Duration.seconds(ServerLimits.memoryGraceSeconds)
    /// From a connection's start to the end of its login.
    package var login = Duration.seconds(ServerLimits.loginSecondsMax)
    /// For which a connection may say nothing.
    package var idle = Duration.seconds(ServerLimits.idleSecondsMax)
    /// Within which more bytes of a request's content must come, and more of an answer go.
    package var stall = Duration.seconds(ServerLimits.stallSecondsMax)

    package init() {}

    /// Bounds the connections by the files that the process may have open, half of which are for them: the packs of vaults,
    /// their catalogs and hooks have the rest.
    ///
    /// - Parameter files: how many files may be open.
    mutating func fitOpenFiles(_ files: Int, _ logger: Logger) {
        let possible = max(8, files / 2)
        guard possible < connections else { return }
        logger.warning(
            "fewer connections are served than could be, since the process may have few files open: raise 'ulimit -n', or LimitNOFILE= of the service",
            metadata: ["connections": "\(possible)", "wanted": "\(connections)", "open_files": "\(files)"])
        connections = possible
    }
}
