import VaultModel

/// Every bound of the server.
package enum ServerLimits {
    /// How often a port is looked for that is free on several addresses.
    static let portTriesMax = 16
    /// Files that connections leave for others to open, where the process may have many, and those that a vault takes.
    static let filesReserved = 64
    static let filesOfVault = 32
    /// Seconds between two lines of the log about connections that cannot be accepted.
    static let acceptFailureSeconds: Int64 = 60
    /// Connections in all, of one address, and of one user.
    package static let connectionsMax = 4096
    package static let connectionsPerAddressMax = 1024
    package static let connectionsPerUserMax = 2048
    /// Random bytes of a user's salt, and rounds of hashing of a new password (OWASP Password Storage Cheat Sheet).
    package static let saltBytes = 16
    package static let passwordIterations = 600_000
    /// What a balancer says for whom it connects: a line of version 1 of the PROXY protocol, which cannot be longer, and
    /// what follows the fixed part in version 2.
    static let proxyLineBytesMax = 107
    static let proxyHeaderBytesMax = 4096
    /// Seconds within which it says so.
    static let proxyHeaderSecondsMax: Int64 = 5
    /// Seconds from the connection's start to the end of its login.
    package static let loginSecondsMax = 20
    /// Seconds for which a login is held back at most; beyond, it is refused at once.
    static let loginDelaySecondsMax = 8
    /// Failed passwords that are not slowed yet, of one user and from one address, behind which many people may be.
    static let loginFailuresFreePerUser = 3
    static let loginFailuresFreePerAddress = 20
    /// Seconds between two passwords after many failures, and after which one failure is forgiven.
    static let loginPenaltySecondsMax = 60
    static let loginForgivenessSeconds = 600
    /// Users, addresses, and pairs of both whose failures are remembered.
    static let loginTalliesMax = 8192
    /// Audit events that are kept, and failed logins among them: a flood of those pushes out nothing else.
    static let auditEventsMax = 1_000_000
    static let auditFailuresMax = 100_000
    /// Each text of an audit event, and what a device calls itself, in bytes; the rest is cut off.
    static let auditTextBytesMax = 512
    static let deviceLabelBytesMax = 200
    /// Seconds for which a connection may say nothing.
    package static let idleSecondsMax = 900
    /// Seconds within which more bytes of a request's content must come, or an answer's go.
    package static let stallSecondsMax = 60
    /// Seconds for which somebody waits for memory before a slow peer has to give his up, and after which one is slow.
    package static let memoryPatienceSeconds = 1
    package static let memoryGraceSeconds = 5
    /// Bytes of memory of a session, of an open upload or read, and of a chunk that an upload remembers.
    static let sessionBytes = 8 << 10
    static let openBytes = 4 << 10
    /// Bytes of memory of an element of a list in a message: a tag, a name.
    static let elementBytes = 160
    /// Content of so many bytes has a part of the memory to itself.
    static let smallContentBytes = 1 << 20
    /// Seconds for which a session outlives its last connection.
    package static let lingerSeconds = 120
    /// Seconds for which other servers of the same vaults take what one has written about a login, and about a read.
    static let ticketSecondsMax: Int64 = 86_400
    static let passSecondsMax: Int64 = 3600
    /// Bytes of memory of the process, as a rule and at least, and the part of it that it has for itself.
    package static let memoryBytes = 512 << 20
    package static let memoryBytesMin = 128 << 20
    static let memoryBytesBase = 64 << 20

    /// The part of a process's memory that is for what users cause it to hold: half of all that it does not need for itself.
    /// The other half is for the allocation of memory, the libraries and the catalogs' rows.
    package static func heldBytes(ofProcess bytes: Int) -> Int { max(bytes - memoryBytesBase, memoryBytesBase) / 2 }

    /// Bytes of memory for the making of a page: its entries, the message, and the frames.
    static let pageWorkBytes = 3 * Limits.pageBytesMax
    /// Connections of one session.
    package static let connectionsPerSessionMax = 16
    /// Open uploads and open reads of one session.
    package static let uploadsPerSessionMax = 256
    package static let readsPerSessionMax = 1024
    /// Open reads of one session that another server has opened.
    static let readsTakenOverMax = 256
    /// Milliseconds between looks for changes of the accounts by other processes.
    static let watchMilliseconds = 200
    /// For which a look whether the vaults can be reached counts, and seconds that it may take.
    static let readinessMilliseconds = 1000
    static let readinessSecondsMax: Int64 = 3
    /// Threads that may wait for a disk at the same time.
    static let threads = 24
    /// Seconds that a graceful stop waits for what runs.
    package static let stopSecondsMax = 20
    /// A file of certificates, or of a key, in bytes.
    static let certificateFileBytesMax = 1 << 20
    /// Seconds before the end of its certificate at which the server warns of it.
    static let certificateNoticeSeconds: Int64 = 14 * 86_400
}
