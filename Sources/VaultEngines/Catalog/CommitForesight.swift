import VaultModel
import VaultStore

/// What calls can be expected to ask for.
struct CommitForesight {
    var names: Set<Name> = []
    /// Names below which nothing may be, or all is meant.
    var tops: Set<Name> = []
    var digests: [Digest] = []
    var packs: Set<PackID> = []
    /// Of which something has been recorded.
    var uploads: Set<UploadID> = []
    var changes: [(user: String, change: UniqueID)] = []

    init(_ calls: [CommitCall]) {
        for call in calls {
            if let change = call.change { changes.append((call.by.user, change)) }
            for request in call.requests { add(request) }
        }
    }

    private mutating func add(_ request: CommitRequest) {
        switch request {
        case .save(let save):
            add(save.intent.name)
            if let chunk = save.chunk { digests.append(chunk.digest) }
            packs.formUnion(save.chunks.received.map(\.location.pack))
            if save.mark != nil, let upload = save.upload { uploads.insert(upload) }
            if let staged = save.staged { packs.insert(staged.location.pack) }
        case .change(.remove(let prefix, _)):
            if let top = prefix.top { add(top) }
        case .change(.rename(let from, let to)), .change(.copy(let from, let to)):
            add(from)
            add(to)
        case .change(.revert(let name, _)), .change(.tag(let name, _)): add(name)
        case .drop(_, let name, _, _):
            if let name { names.insert(name) }
        }
    }

    private mutating func add(_ name: Name) {
        names.insert(name)
        tops.insert(name)
        for ancestor in name.ancestors.reversed() where !names.insert(ancestor).inserted { break }
    }
}
