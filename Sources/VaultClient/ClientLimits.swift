/// Every bound of the client.
package enum ClientLimits {
    /// Connections of one session for content, besides its control connection.
    static let contentConnections = 1
    /// Seconds to wait for a connection, and for each step of its login.
    package static let connectSecondsMax = 20
    /// Seconds between signs of life on a connection; twice as long after the last word of the server, it is lost.
    static let pingSeconds = 60
    /// Milliseconds before the first try to connect again; doubled each time, up to the greatest.
    package static let retryMillisecondsMin = 100
    package static let retryMillisecondsMax = 10_000
    /// Seconds after its loss when a session is given up.
    package static let retrySecondsMax = 120
    /// Seconds after which a connection that is lost has carried a request for a while.
    static let steadySeconds = 10
    /// How often content is asked for again whose connection was cut.
    static let fetchTriesMax = 8
    /// The file of known servers, and that of certificate authorities, in bytes.
    static let trustFileBytesMax = 1 << 20
    static let authorityFileBytesMax = 16 << 20
    /// The file of a device key, in bytes.
    static let keyFileBytesMax = 1 << 10
    /// Certificates that a server may show.
    static let certificatesMax = 6
    /// How often a password may be typed.
    static let passwordTriesMax = 3
}
