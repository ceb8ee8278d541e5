/// Every bound of the client.
package enum ClientLimits {
    /// Connections of one session besides its control connection, for content.
    package static let bulkConnections = 1
    /// Seconds to wait for a connection, and for each step of its login.
    package static let connectSecondsMax = 20
    /// Milliseconds before the first try to connect again; doubled each time, up to the greatest.
    package static let retryMillisecondsMin = 100
    package static let retryMillisecondsMax = 10_000
    /// Seconds after which a lost session is given up.
    package static let retrySecondsMax = 120
}
