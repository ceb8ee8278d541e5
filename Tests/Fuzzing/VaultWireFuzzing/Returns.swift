import FoundationEssentials
import FuzzSupport
import VaultModel
import VaultWire

// What becomes a model goes back to the wire and becomes the same model again. Parts that become none are
// refused by an error; everything else traps.

func checkReturn(of wire: WireEntry) throws(BrokenInvariant) {
    guard let model = try? wire.model else { return }
    try require((try? WireEntry(model).model) == model, "an entry changes on its way")
    try require(model.attributes.mode <= 0o7777, "a mode that is none")
    try checkName(model.name)
}

func checkReturn(of wire: WireContent) throws(BrokenInvariant) {
    guard let model = try? wire.model else { return }
    try require((try? WireContent(model).model) == model, "a content changes on its way")
    _ = model.digest
}

func checkReturn(of wire: WireIntent) throws(BrokenInvariant) {
    guard let model = try? wire.model else { return }
    let again = WireIntent(model)
    try require((try? again.model).map { WireIntent($0) } == again, "an intent changes on its way")
    try require(again.tags.model == wire.tags.model, "the tags of an intent")
    try require(model.ifVersion == (wire.hasIfVersion ? wire.ifVersion : nil), "the condition of an intent")
    try checkName(model.name)
}

func checkReturn(of wire: WireChunkList) throws(BrokenInvariant) {
    guard let model = try? wire.model else { return }
    try require(WireChunkList(model) == wire, "a list of chunks changes on its way")
    let isBounded = model.allSatisfy { (1...UInt64(Chunker.maximumSize)).contains($0.span) }
    try require(model.count <= WireLimits.chunksMax && isBounded, "a list of chunks is out of its bounds")
}

func checkPlaces(of wire: WirePlaced) throws(BrokenInvariant) {
    try checkReturn(of: wire.chunks)
    guard let model = try? wire.model else { return }
    var position = wire.position
    for chunk in model {
        try require(chunk.position == position && chunk.end > position, "a chunk at a wrong place")
        position = chunk.end
    }
}

func checkReturn(of wire: WireSelector) throws(BrokenInvariant) {
    try require(WireSelector(wire.model) == wire, "a selector changes on its way")
}

func checkReturn(of wire: WireList) throws(BrokenInvariant) {
    guard let model = try? wire.model else { return }
    try require((1...Limits.pageEntriesMax).contains(model.limit), "a page of an impossible length")
    let again = WireList(model)
    try require((try? again.model).map { WireList($0) } == again, "a query changes on its way")
}

func checkReturn(of wire: WirePage) throws(BrokenInvariant) {
    guard let model = try? wire.model else { return }
    let again = WirePage(model)
    try require((try? again.model).map { WirePage($0) } == again, "a page changes on its way")
}

func checkReturn(of wire: WireOutcome) throws(BrokenInvariant) {
    guard let model = try? wire.model else { return }
    let again = WireOutcome(model)
    try require((try? again.model).map { WireOutcome($0) } == again, "an outcome changes on its way")
}

func checkReturn(of wire: WireSmallSaved) throws(BrokenInvariant) {
    guard let model = try? wire.model else { return }
    let again = WireSmallSaved(model)
    let third = (try? again.model).map { WireSmallSaved($0) }
    try require(third?.withoutTexts == again.withoutTexts, "outcomes change on their way")
}

func checkReturn(of wire: WireChanged) throws(BrokenInvariant) {
    guard let model = try? wire.model else { return }
    let again = WireChanged(model)
    let third = (try? again.model).map { WireChanged($0) }
    try require(third?.withoutTexts == again.withoutTexts, "outcomes change on their way")
}

func checkReturn(of wire: WireNeed, _ count: Int) throws(BrokenInvariant) {
    guard let model = try? wire.model(count: count) else { return }
    try require(model.count == count, "an answer to other chunks than were offered")
    try require((try? WireNeed(model).model(count: count)) == model, "what is needed changes on its way")
}

func checkReturn(of wire: WireFailure) throws(BrokenInvariant) {
    let model = wire.model
    let again = WireFailure(model).model
    try require(model.code == again.code && model.isRetryable == again.isRetryable, "a failure changes on its way")
    try require(model.name == again.name, "the name of a failure changes on its way")
    for text in [model.message, model.cause ?? "."] {
        try require(!text.isEmpty && text == printable(text), "the text of a failure is not printed escaped")
        // Each byte becomes an escape of six letters at most, of which one may have three bytes.
        try require(text.utf8.count <= 8192 * 8, "the text of a failure is too long")
    }
}

func checkReturn(of wire: WireOneChange) throws(BrokenInvariant) {
    guard let model = try? wire.model else { return }
    guard let again = try? WireOneChange(model).model else { throw BrokenInvariant("a change becomes none") }
    // The order of tags that are taken away means nothing.
    if case (.tag(let name, let tags), .tag(let otherName, let others)) = (model, again) {
        try require(name == otherName && tags == others, "tags change on their way")
    } else {
        try require(WireOneChange(again) == WireOneChange(model), "a change changes on its way")
    }
}

func checkReturn(of wire: WireKeep) throws(BrokenInvariant) {
    _ = wire.policy.isEmpty
    let history = [Int64.min / 4, -1, 0, 86_400].enumerated().map { index, time in
        KeepPolicy.Candidate(
            version: UInt64(index + 1), sequence: UInt64(index + 1), savedAt: time, isRemoval: index == 2)
    }
    guard let calendar = try? wire.calendar, let prefix = try? NamePrefix(wire: wire.prefix) else { return }
    _ = wire.policy.dropped(from: history, now: 1 << 40, calendar: calendar)
    let again = WireKeep(prefix, wire.policy, calendar: calendar, isDryRun: wire.dryRun)
    try require(again.policy == wire.policy && again.prefix == wire.prefix, "a policy changes on its way")
    try require((try? again.calendar)?.identifier == calendar.identifier, "a time zone changes on its way")
}

func checkReturn(of wire: WireKept) throws(BrokenInvariant) {
    try require(WireKept(WireKept(wire.model).model) == WireKept(wire.model), "a report changes on its way")
}

func checkReturn(of wire: WireCollected) throws(BrokenInvariant) {
    try require(WireCollected(WireCollected(wire.model).model) == WireCollected(wire.model), "a report changes")
}

func checkReturn(of wire: WireVerified) throws(BrokenInvariant) {
    guard let model = try? wire.model else { return }
    let again = WireVerified(model)
    try require((try? again.model).map { WireVerified($0) } == again, "a report changes on its way")
    try require(model.problems.allSatisfy { $0 == printable($0) }, "a problem is not printed escaped")
}

// The texts of failures are escaped where they are read, which may make them longer than what is read of them.

extension WireSmallSaved {
    fileprivate var withoutTexts: WireSmallSaved {
        var saved = self
        for index in saved.results.indices {
            guard case .failure(var failure) = saved.results[index].result else { continue }
            (failure.message, failure.cause) = ("", "")
            saved.results[index].failure = failure
        }
        return saved
    }
}

extension WireChanged {
    fileprivate var withoutTexts: WireChanged {
        var changed = self
        for index in changed.results.indices {
            guard case .failure(var failure) = changed.results[index].result else { continue }
            (failure.message, failure.cause) = ("", "")
            changed.results[index].failure = failure
        }
        return changed
    }
}

/// A name from the wire stays within its vault, and within the directory that it is pulled to.
private func checkName(_ name: Name) throws(BrokenInvariant) {
    try require((try? Name(name.bytes)) == name && (try? Name(pathBytes: name.pathBytes)) == name, "two names for one")
    let parts = name.pathBytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    let isSafe = parts.allSatisfy { !$0.isEmpty && !$0.contains(0) && $0 != [0x2E] && $0 != [0x2E, 0x2E] }
    try require(isSafe && name.pathBytes.count <= Name.bytesMax, "a name that leaves its vault")
}
