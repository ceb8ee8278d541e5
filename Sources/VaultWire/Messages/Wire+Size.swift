extension WireClientMessage {
    /// The elements of the lists of a request, at whatever depth: each becomes a value of some hundred bytes, however few
    /// bytes it had in the message.
    package var elementCount: Int {
        switch body {
        case .save(let save): save.intent.tags.count
        case .saveSmall(let save): save.files.reduce(save.files.count) { $0 + $1.intent.tags.count }
        case .change(let change): change.changes.reduce(change.changes.count) { $0 + $1.elementCount }
        case .fetch(let fetch): fetch.positions.count
        case .readSmall(let read): read.files.count
        case .list(let list): list.tags.count
        default: 0
        }
    }
}

extension WireOneChange {
    fileprivate var elementCount: Int {
        if case .tag(let tag) = kind { tag.set.count + tag.clear.count } else { 0 }
    }
}
