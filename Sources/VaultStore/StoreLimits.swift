/// Every bound of the store.
package enum StoreLimits {
    /// A pack of this length takes no more records.
    package static let packSealBytes: UInt64 = 64 << 20
    /// No record of a pack starts behind this offset.
    package static let packBytesMax: UInt64 = 1 << 40
    /// The longest payload of a record; a journal group is the only kind that comes near.
    package static let recordBytesMax = 64 << 20
    /// A journal group ends with the change that reaches one of these; its commit goes on in another.
    static let groupChangesMax = 1 << 16
    static let groupBytesMax = 2 << 20
    /// No count, size or sequence of a vault is above it: a few of them can be added, and SQLite's numbers are signed.
    package static let numberMax: UInt64 = 1 << 62
    /// Bytes of a value in the catalog; answers to changes are the longest.
    static let catalogValueBytesMax: Int32 = 128 << 20
    /// Keys and values of one version's tags together.
    static let tagBytesMax = 64 << 10
    /// Requests and content bytes that one commit takes together.
    static let commitRequestsMax = 4096
    static let commitBytesMax = 16 << 20
    /// Received bytes after which an upload's chunks are recorded, so that a save can resume.
    static let uploadRecordBytes: UInt64 = 64 << 20
    /// The same as a number of chunks, since they may be small.
    static let uploadRecordChunks = 1 << 14
    /// Chunks of one upload that were asked for and have not been put.
    static let expectedChunksMax = 1 << 16
    /// So many of them, and it is looked whether other processes have stored some.
    static let expectedElsewhereMax = 1 << 12
    /// How often chunks are stored for an upload elsewhere, where collections come in between.
    static let elsewhereTriesMax = 3
    /// Bytes of memory of a chunk that an upload remembers, about.
    package static let rememberedChunkBytes = 128
    /// Digests of current versions that all uploads of a process remember together.
    static let currentChunksMax = 1 << 20
    /// Chunks and bytes fetched at once by their positions.
    package static let fetchPositionsMax = 256
    package static let fetchBytesMax = 16 << 20
    /// Names that a listing reads at once, at least.
    package static let listStepMin = 16
    /// Records that are looked up and read together by what goes through all of them.
    static let recordsVisitedMax = 1 << 10
    /// Bytes between two records that are read along with them, rather than asking twice.
    static let gapBytesMax: UInt64 = 256 << 10
    /// Bytes that are fetched ahead of one read, and held so for all reads.
    static let readAheadBytes: UInt64 = 8 << 20
    static let readAheadBytesMax = 32 << 20
    /// How often hooks are asked about a name that keeps changing before it loses versions.
    static let judgementsMax = 3
    /// Names that the removals, copies and renames of one request are about together, and the bytes of these names and of
    /// their tags. They are one commit, for which all others wait: some 20 s for so many names of the usual length.
    package static let namesPerChangeMax = 1_000_000
    package static let nameBytesPerChangeMax = 1 << 30
    /// Names that a change of a prefix has in memory at once: at first, at least, and at most as many as fit into these bytes.
    static let walkedNames = 64
    static let walkedNamesMin = 16
    static let walkedNamesMax = 1024
    static let walkedBytesMax = 512 << 10
    /// Bytes of the tags that differ, of those that hooks add to what one change brings.
    package static let judgedTagBytesMax = 64 << 20
    /// Memory that a change of more names than one commit takes requests is given.
    package static let wideChangeBytes = 16 << 20
    /// Work after which what can be divided goes on in another commit, so that others have their turn.
    static let commitWork = Duration.milliseconds(25)
    /// The same for the calls of a commit to a catalog in a file, which is durable much sooner than one elsewhere.
    static let fileCommitWork = Duration.milliseconds(8)
    /// Versions of one name that `keep` drops at once.
    static let droppedVersionsMax = 256
    /// Versions that `keep` looks at together.
    package static let consideredVersionsMax = 1 << 16
    /// Open reads whose list nodes stay in memory, some 160 KB each at most.
    static let rememberedPathsMax = 64
    /// Seconds that the answer to a named change is kept.
    package static let answerSeconds: Int64 = 7 * 86_400
    /// Bytes of the reasons for failures that are kept with one answer.
    static let answerReasonsBytes = 16 << 10
    /// Outdated answers that one commit removes.
    package static let answersRemovedMax = 64
    /// Seconds that the audit is kept.
    package static let auditSeconds: Int64 = 400 * 86_400
    /// What is kept for a time is as old as the newest entry beside it that is itself so many seconds old: a clock that
    /// is ahead for a moment makes nothing old.
    package static let confirmedSeconds: Int64 = 86_400
    /// Seconds after which it is forgotten when something was done that nobody has done since; longer than any schedule.
    package static let claimSeconds: Int64 = 800 * 86_400
    /// Open files of packs that are read.
    static let openPacksMax = 64
    /// Seconds that the chunks of an unfinished upload are kept.
    package static let uploadSeconds: Int64 = 86_400
    /// Seconds after which an object is not expected to become known any more, where nothing but that keeps it from being
    /// removed.
    package static let unrecordedSeconds: Int64 = 3600
    /// Seconds for which it is remembered that a pack does not count; no upload lives as long.
    package static let disownedSeconds: Int64 = 30 * 86_400
    /// Seconds after which a lease of a process that no longer renews it is void.
    package static let leaseSeconds: Int64 = 3600
    /// Bytes of the journal and of the catalog that do not count towards a quota: what a small vault has.
    static let freeRecordBytes: UInt64 = 2 << 20
    /// Bytes by which removals may go beyond a quota, besides a share of 1/32 of it: they are what makes room.
    static let removalRoomBytes: UInt64 = 8 << 20
    /// Bytes of no use that the packs of a vault with a quota may have, besides a share of 1/20 of it; more is removed
    /// before anything else is stored. The same for pages of the catalog that hold nothing, with a share of 1/100.
    static let wasteBytes: UInt64 = 24 << 20
    static let freePageBytes: UInt64 = 4 << 20
    /// Bytes stored between looks whether there is so much of no use.
    static let wasteStepBytes: UInt64 = 4 << 20
    static let wasteRestBytes: UInt64 = 64 << 20
    /// Bytes in use that are copied, about, before somebody may store who waits for it.
    static let clearedAtOnceBytes: UInt64 = 256 << 20
    /// Pages of the catalog that are given back in one transaction.
    static let pagesGivenBack = 512
    /// Bytes that the row of a chunk and its mark for an upload take up in a catalog, about.
    package static let chunkRowBytes: UInt64 = 300
    /// Bytes kept free, by a file that gives them up, so that remove, keep and gc work on a full disk: as many as the disk
    /// has room for, and the fewest that are worth it.
    static let reserveBytes = 16 << 20
    static let reserveBytesMin = 1 << 20
    /// The same for a server's accounts, so that logins are written down and rights taken away on a full disk.
    static let accountsReserveBytes = 2 << 20
    /// Steps of SQLite's machine, some milliseconds, between looks whether the task of a long statement is cancelled.
    static let uninterruptedSteps: Int32 = 50_000
    /// Bytes that the log of a catalog keeps of the disk once it has been moved into the file: its usual length.
    static let logBytesMax = 16 << 20
    /// Bytes of the memory that the processes at one database share, for four times the usual length of its log.
    static let sharedMemoryBytes = 128 << 10
    /// Milliseconds to wait for another process's change.
    static let busyMilliseconds: Int32 = 60_000
    /// Seconds by which a commit may be dated later than the next one, which waited for it.
    static let overtakenSeconds: Int64 = 60
    /// Milliseconds to wait for another process that makes or removes vaults.
    static let lockMilliseconds = 60_000
    /// A pack is rewritten when more than this share of its bytes is of no use.
    static let wasteShare = 0.2
    /// So many packs below this length, and they are put together, into some of up to `Limits.batchBytesMax`.
    static let smallPacksMax = 16
    static let smallPackBytes: UInt64 = 2 << 20
    /// Chunks that a migration looks up at once, and journal groups that it copies at once.
    static let migrationPage = 1 << 14
    static let migrationGroups = 64
    /// What hooks keep in a vault: values, and the bytes of a key and of a value.
    package static let hookValuesMax: Int64 = 100_000
    static let hookKeyBytesMax = 512
    static let hookValueBytesMax = 64 << 10
}
