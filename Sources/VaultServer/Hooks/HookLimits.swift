/// Every bound of hooks.
package enum HookLimits {
    /// A hook whose deadline is later runs on workers of its own.
    static let quickSecondsMax = 5.0
    /// Seconds that hooks may take over a login, for which no client waits longer.
    static let loginSecondsMax: Int64 = 15
    /// Seconds from one run of a schedule to the next, at most: a year.
    static let intervalSecondsMax: UInt32 = 31_536_000
    /// How often hooks are asked about a change whose sources keep changing.
    static let judgementsMax = 3
    /// Hooks that may stand one behind another.
    static let depthMax = 3
    /// Events that a worker is handed at once, and how long they may be expected to take.
    static let batchMax = 128
    static let batchSecondsMax = 0.005
    /// Vaults, users and addresses of events that a worker remembers.
    static let contextsMax = 4096
    /// Milliseconds for which who has handed a worker events waits for its answers itself.
    static let collectMilliseconds: Int64 = 2
    /// Milliseconds between two looks at deadlines.
    static let watchMilliseconds = 50
    /// Seconds for which a file that keeps changing is waited for.
    static let settlingSecondsMax = 10
    /// Seconds within which a worker must have loaded the file.
    static let loadSecondsMax = 10
    /// Failures of one hook, one after another, that suspend it, and for how many seconds.
    static let failuresMax = 10
    static let suspensionSeconds = 30
    /// Attempts to tell of an event before it is set aside, and the seconds between them: at least and at most.
    static let attemptsMax = 8
    static let retrySecondsMin = 1
    static let retrySecondsMax = 300
    /// The longest time for which an event is put off: one that is due later was put off by a clock that was wrong.
    static let outboxWaitMilliseconds = Int64(max(retrySecondsMax, suspensionSeconds)) * 1000
    /// Events of a vault that are being told at once, and that are looked through for those that can be.
    static let tellingMax = 256
    static let lookedThroughMax = 4096
    /// Bytes of a hooks file, of a reason, and of a traceback that is kept.
    package static let fileBytesMax = 1 << 20
    static let reasonBytesMax = 1000
    static let tracebackBytesMax = 8 << 10
    /// Lines that the hooks may write to the log in a second; the rest is counted.
    static let logLinesPerSecondMax = 200
    /// Seconds after which a vault is tried again that could not be opened.
    static let vaultRetrySeconds = 30
    /// Of servers that share a vault, one tells its events: for so long, after which another may take over.
    static let dutySeconds: Int64 = 10
    /// Milliseconds between looks of the others at whether it still does, and of the one at what the others have added.
    static let dutyLookMilliseconds: Int64 = 2000
    static let sharedLookMilliseconds: Int64 = 300
}
