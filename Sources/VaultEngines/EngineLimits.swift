/// Every bound on what is asked of PostgreSQL and of the object store.
enum EngineLimits {
    /// PostgreSQL's number of the oldest version that will do.
    static let postgresVersionMin: Int32 = 150_000
    /// Connections of one process.
    static let postgresConnections = 8
    /// Milliseconds that PostgreSQL works on one statement, and that its answer may take.
    static let statementMilliseconds: Int64 = 90_000
    static let answerMilliseconds: Int64 = 95_000
    /// Milliseconds after which a transaction ends in which nothing is asked.
    static let idleTransactionMilliseconds: Int64 = 120_000
    /// How often a transaction is tried that others came in the way of.
    static let conflictTriesMax = 10
    /// How often a commit is tried of which it is known that it was lost.
    static let commitTriesMax = 3

    /// Work on the calls of a commit, the database's included, after which those that are left wait for the next one: each
    /// commit costs a way to the object store and back, and looks up the rows of its calls again.
    static let commitWork = Duration.milliseconds(100)
    /// Changed rows that are told the database together.
    static let rowsSentMax = 10_000
    /// Dropped versions that are told the database together, so that it is soon known how long that takes.
    static let dropsSentMax = 512
    /// Milliseconds that a statement of a collection may take.
    static let collectionMilliseconds: Int64 = 3_600_000
    /// Seconds between looks at the database's clock.
    static let clockSeconds: Int64 = 60
    /// Milliseconds that a change of the accounts waits for another one.
    static let accountsLockMilliseconds = 5000
    /// Milliseconds to wait for another process that makes or removes vaults.
    static let lockMilliseconds = 60_000
    /// List nodes that a collection reads before it tells the database of what they name.
    static let nodesMarkedMax = 256

    /// Names that a listing reads at once, at least, and how many earlier versions of each, or of one alone, a page has.
    static let listStepMin = 16
    static let versionsPerName = 32
    static let versionsPerPage = 64

    // MARK: The object store

    /// A configuration file that AWS's programs share.
    static let settingsBytesMax = 1 << 20
    /// Connections to the object store.
    static let storeConnections = 32
    static let connectSeconds: Int64 = 5
    /// Seconds without a byte after which an answer is given up.
    static let idleSeconds: Int64 = 10
    /// Below this speed a request is given up.
    static let slowestBytesASecond = 1 << 20
    /// Seconds after which a request is not tried again.
    static let storeSecondsMax: Int64 = 45
    /// Seconds by which the store's clock may differ before its own time is signed.
    static let skewSecondsMax: Int64 = 120
    /// An answer that is no content.
    static let documentBytesMax = 16 << 20
    /// Bytes that are handed to the network at once.
    static let pieceBytes = 256 << 10
    /// Objects that one vault stores at once, and the bytes of those that are gathered into one.
    static let objectsUnderWay = 4
    static let gatheredBytesMax = 16 << 20
    /// Above this an object is stored in parts of this size, so many at once.
    static let singlePutBytesMax = 32 << 20
    static let partBytes = 16 << 20
    static let partsInFlight = 3
    /// The same for an object that is made as its parts come: one is on its way, and one fills.
    static let builtPartBytes = 8 << 20
    /// Bytes of an object that are read back at once.
    static let checkBytes = 1 << 20
    static let deletesInFlight = 16
    /// Chunks of which it is remembered that they were fetched once, and that are written to the cache at once.
    static let cacheSeenMax = 1 << 17
    static let cacheWritesMax = 16
}
