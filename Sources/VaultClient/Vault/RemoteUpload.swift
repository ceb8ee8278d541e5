import Synchronization
import VaultModel

/// An open upload as the client knows it: all that a server which was started anew must be told of it again.
final class RemoteUpload: Sendable {
    private struct State {
        /// What was offered, in the order of the file.
        var offered: [ChunkReference] = []
        /// Chunks that the server needs and has not confirmed.
        var missing: Set<Digest> = []
        /// How often a server has been told of the upload, and under which id last: one that was told before, and is
        /// come back to, knows it in another state.
        var tellings = 1
        var remote: UniqueID
    }

    let intent: SaveIntent
    /// Held while the server is told of the upload again, so that many requests do not do it many times.
    let telling = AsyncLock()
    private let state: Mutex<State>

    init(_ intent: SaveIntent, as id: UniqueID) {
        self.intent = intent
        state = Mutex(State(remote: id))
    }

    /// Under which id the server knows it.
    var remote: UniqueID { state.withLock { $0.remote } }

    var tellings: Int { state.withLock { $0.tellings } }
    var offered: [ChunkReference] { state.withLock { $0.offered } }
    var position: UInt64 { state.withLock { UInt64($0.offered.count) } }

    func offered(_ chunks: ArraySlice<ChunkReference>, needed: [Bool]) {
        state.withLock { state in
            state.offered += chunks
            for (chunk, isNeeded) in zip(chunks, needed) where isNeeded { state.missing.insert(chunk.digest) }
        }
    }

    func put(_ chunks: ArraySlice<Chunk>) {
        state.withLock { state in
            for chunk in chunks { state.missing.remove(chunk.digest) }
        }
    }

    /// - Returns: whether a server that needs these chunks again can have them: the others' bytes are gone.
    func has(_ chunks: ArraySlice<ChunkReference>, needed: [Bool]) -> Bool {
        state.withLock { state in
            zip(chunks, needed).allSatisfy { chunk, isNeeded in !isNeeded || state.missing.contains(chunk.digest) }
        }
    }

    func toldAgain(as id: UniqueID) {
        state.withLock { state in
            state.tellings += 1
            state.remote = id
        }
    }
}
