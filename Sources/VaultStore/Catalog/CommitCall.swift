import Synchronization
package import VaultModel

/// The requests of one call, which are answered and audited together.
package struct CommitCall: Sendable {
    package var requests: [CommitRequest]
    package var by: Caller
    /// By what a repetition of the call is known; nil where it cannot be repeated.
    package var change: UniqueID?
    /// What hooks have said of the changes, or of the names that lose versions; nil where none was asked.
    package var judgement: Judgement?
    /// Whether a commit may carry out the first requests only, one at least: those that come behind are asked for again.
    package var isDivisible = false
    /// Tells whether anybody waits for the call; nil for one that is carried out in any case.
    package var presence: Presence?

    /// Whether somebody still waits for what he has asked for.
    package final class Presence: Sendable {
        private let hasLeft = Atomic<Bool>(false)

        package init() {}

        package var isOver: Bool { hasLeft.load(ordering: .relaxed) }

        package func end() { hasLeft.store(true, ordering: .relaxed) }
    }

    /// What hooks were asked about, and what they want besides.
    package struct Judgement: Sendable {
        /// The sequence at which they were asked: what moved since, they have not seen.
        package var sequence: UInt64
        /// Tags for what a change brings, by the place of the change among the requests.
        package var tags: [Int: JudgedTags] = [:]

        package init(at sequence: UInt64) {
            self.sequence = sequence
        }
    }

    package init(requests: [CommitRequest], by: Caller, change: UniqueID? = nil) {
        self.requests = requests
        self.by = by
        self.change = change
    }
}

extension CommitCall {
    /// Whether a save ends an upload.
    var endsUpload: Bool {
        requests.contains { request in
            if case .save(let save) = request { save.upload != nil } else { false }
        }
    }
}

/// One request of a commit.
package enum CommitRequest: Sendable {
    case save(CommitSave)
    case change(Change)
    /// Forgets versions of an object. The name is the object's, for the audit; a part is followed by more of the same object.
    case drop(object: UInt64, name: Name?, versions: [UInt64], isPart: Bool = false)
}

/// A save whose content is stored, or comes with it.
package struct CommitSave: Sendable {
    package var intent: SaveIntent
    package var content: Content
    /// The one chunk of a small save, which is stored with the commit if the vault lacks it.
    package var chunk: Chunk?
    /// The upload that ends with this save.
    package var upload: UploadID?
    /// The mark of the upload; nil where nothing has been recorded for it.
    package var mark: UInt64?
    /// What the upload stored and has not recorded yet.
    package var chunks = UnrecordedChunks()
    /// The epoch when the upload began: if chunks were removed or withdrawn since, it may lack some.
    package var epoch: UInt64?
    /// Bytes of content that the upload had to store.
    package var newBytes: UInt64 = 0
    /// The intent as it was asked for, where hooks have changed it: by that a repetition is known.
    package var asked: SaveIntent?
    /// Why hooks refuse it; nil where they do not.
    package var refusal: VaultError?
    /// Where the chunk is already; nil where it is still to be stored.
    package var staged: ReceivedChunk?

    package init(
        intent: SaveIntent, content: Content, chunk: Chunk? = nil, upload: UploadID? = nil,
        chunks: UnrecordedChunks = UnrecordedChunks(), epoch: UInt64? = nil, newBytes: UInt64 = 0
    ) {
        self.intent = intent
        self.content = content
        self.chunk = chunk
        self.upload = upload
        self.chunks = chunks
        self.epoch = epoch
        self.newBytes = newBytes
    }
}

/// What became of a request.
package enum CommitResult: Sendable {
    case saved(SaveOutcome)
    case changed(ChangeOutcome)
    /// Chunks were removed or withdrawn since the upload began: it must be tried again.
    case collected
}
