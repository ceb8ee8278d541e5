import VaultModel

/// The threads on which a server's requests block: more than there are cores, since they wait for disks.
enum ServerExecutor {
    static let shared = BlockingExecutor(threads: ServerLimits.threads)
}
