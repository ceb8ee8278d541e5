import VaultModel

/// The threads on which a client judges certificates and logs in.
enum ClientExecutor {
    static let shared = BlockingExecutor(threads: 1)
}
