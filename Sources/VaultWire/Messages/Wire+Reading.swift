package import FoundationEssentials
package import VaultModel

extension WireSelector {
    package init(_ selector: Selector) {
        self.init()
        switch selector {
        case .current: break
        case .version(let number): version = number
        case .time(let seconds): time = seconds
        case .sequence(let number): sequence = number
        }
    }

    package var model: Selector {
        switch state {
        case nil: .current
        case .version(let number): .version(number)
        case .time(let seconds): .time(seconds)
        case .sequence(let number): .sequence(number)
        case .ofEvent: .current
        }
    }

    /// Whether the content of the request's event is meant.
    package var isOfEvent: Bool { if case .ofEvent? = state { true } else { false } }
}

extension WireList {
    package init(_ query: ListQuery) {
        self.init()
        prefix = Data(query.prefix.top?.bytes ?? [])
        selector = WireSelector(query.selector)
        versions = query.includesVersions
        tags = [WireTagPair](query.tags)
        after = Data(query.after?.bytes ?? [])
        limit = UInt32(clamping: query.limit)
        afterSequence = query.afterSequence ?? 0
    }

    /// - Throws: `invalid` for names that are none.
    package var model: ListQuery {
        get throws(VaultError) {
            ListQuery(
                prefix: try NamePrefix(wire: prefix), selector: selector.model, includesVersions: versions,
                tags: tags.model, after: after.isEmpty ? nil : try Name(after),
                afterSequence: afterSequence > 0 ? afterSequence : nil,
                limit: max(1, min(Int(limit), Limits.pageEntriesMax)))
        }
    }
}

extension WireSmallName {
    package init(_ read: SmallRead) {
        self.init()
        name = Data(read.name.bytes)
        selector = WireSelector(read.selector)
        length = UInt32(clamping: read.length)
    }

    /// - Throws: `invalid` for a name that is none, or a length that no small file has.
    package var model: SmallRead {
        get throws(VaultError) {
            guard length <= UInt32(Limits.smallFileBytesMax) else {
                throw VaultError(.invalid, "A small read is of \(Limits.smallFileBytesMax) bytes at most.")
            }
            return SmallRead(name: try Name(name), selector: selector.model, length: Int(length))
        }
    }
}

extension WireSmallReady {
    package init(_ results: [Result<SmallContent, VaultError>]) {
        self.init()
        self.results = results.map { result in
            var found = WireSmallFound()
            switch result {
            case .success(let small): found.entry = WireEntry(small.entry)
            case .failure(let error): found.failure = WireFailure(error)
            }
            return found
        }
    }

    /// What was found, whose contents follow.
    ///
    /// - Throws: also for an entry that is too long to follow.
    package var model: [Result<Entry, VaultError>] {
        get throws(WireViolation) {
            var model: [Result<Entry, VaultError>] = []
            for found in results {
                switch found.result {
                case .entry(let entry):
                    let entry = try entry.model
                    guard entry.isSmall else { throw WireViolation("a small content that is none") }
                    model.append(.success(entry))
                case .failure(let failure): model.append(.failure(failure.model))
                case nil: throw WireViolation("an empty result of a read")
                }
            }
            return model
        }
    }

    /// The lengths of the contents that follow.
    package var contentLengths: [Int] {
        get throws(WireViolation) {
            var lengths: [Int] = []
            for case .entry(let entry) in results.map(\.result) {
                guard entry.content.size <= UInt64(Limits.smallFileBytesMax) else {
                    throw WireViolation("a small content that is none")
                }
                if entry.content.size > 0 { lengths.append(Int(entry.content.size)) }
            }
            return lengths
        }
    }
}

extension WirePlaced {
    /// The chunks at their places.
    ///
    /// - Throws: for chunks that no file has room for, too.
    package var model: [PlacedChunk] {
        get throws(WireViolation) {
            var placed: [PlacedChunk] = []
            var position = position
            for chunk in try chunks.model {
                placed.append(PlacedChunk(position: position, reference: chunk))
                let (end, isTooFar) = position.addingReportingOverflow(chunk.span)
                guard !isTooFar else { throw WireViolation("chunks behind the end of any file") }
                position = end
            }
            return placed
        }
    }
}

extension NamePrefix {
    /// The prefix in a client's message; no bytes mean everything.
    package init(wire bytes: Data) throws(VaultError) {
        self.init(bytes.isEmpty ? nil : try Name(bytes))
    }

    package var wire: Data { Data(top?.bytes ?? []) }
}

extension WirePage {
    package init(_ page: ListPage) {
        self.init()
        entries = page.entries.map { WireEntry($0) }
        if let next = page.next { self.next = WireList(next) }
    }

    package var model: ListPage {
        get throws(WireViolation) {
            var entries: [Entry] = []
            entries.reserveCapacity(self.entries.count)
            for entry in self.entries { entries.append(try entry.model) }
            guard hasNext else { return ListPage(entries: entries, next: nil) }
            guard let next = try? next.model else { throw WireViolation("a next page under a name that is none") }
            return ListPage(entries: entries, next: next)
        }
    }
}
