import FoundationEssentials
import FuzzSupport
import VaultModel
import VaultWire

/// Makes messages of every kind with extreme values, and of models what a program sends.
func fuzzValues(_ input: [UInt8]) throws(BrokenInvariant) {
    var choices = Choices(input)
    while !choices.isEmpty {
        switch choices.below(4) {
        case 0: try checkMeaning(of: choices.clientMessage())
        case 1: try checkMeaning(of: choices.serverMessage())
        default: try checkModel(&choices)
        }
    }
}

/// A model that goes to the wire comes back as it was.
private func checkModel(_ choices: inout Choices) throws(BrokenInvariant) {
    guard let name = try? Name(choices.nameBytes()) else { return }
    let error = VaultError(
        choices.one(of: VaultError.Code.allCases), choices.text(), name: choices.flag() ? name : nil,
        cause: choices.flag() ? choices.text() : nil, isRetryable: choices.flag())
    let entry = choices.modelEntry(name)
    try require((try? WireEntry(entry).model) == entry, "an entry of ours changes on its way")
    try checkReturn(of: WireFailure(error))

    let outcomes: [Result<SaveOutcome, VaultError>] = [
        .success(SaveOutcome(entry: entry, isCreated: choices.flag(), newBytes: choices.number())), .failure(error),
    ]
    let saved = WireSmallSaved(outcomes)
    try require((try? saved.model)?.count == outcomes.count, "outcomes of ours are refused")
    try checkReturn(of: saved)
    let changes: [Result<ChangeOutcome, VaultError>] = [
        .success(ChangeOutcome(count: choices.count(), entry: choices.flag() ? entry : nil)), .failure(error),
    ]
    try require((try? WireChanged(changes).model)?.count == changes.count, "outcomes of ours are refused")
    try checkReturn(of: WireChanged(changes))

    let query = ListQuery(
        prefix: choices.flag() ? .all : NamePrefix(name), selector: choices.selector().model,
        includesVersions: choices.flag(), tags: entry.tags, after: choices.flag() ? name : nil,
        limit: 1 + choices.below(Limits.pageEntries))
    try require((try? WireList(query).model)?.limit == query.limit, "a query of ours is refused")
    try checkReturn(of: WirePage(ListPage(entries: [entry], next: choices.flag() ? query : nil)))

    for change in choices.changes(name) {
        try require((try? WireOneChange(change).model) != nil, "a change of ours is refused")
        try checkReturn(of: WireOneChange(change))
    }
    let isNeeded = (0..<choices.below(300)).map { _ in choices.flag() }
    try require((try? WireNeed(isNeeded).model(count: isNeeded.count)) == isNeeded, "what we need changes")

    var policy = KeepPolicy()
    (policy.last, policy.daily, policy.weekly) = (choices.count(), choices.count(), choices.count())
    policy.within = choices.number()
    try checkReturn(of: WireKeep(query.prefix, policy, calendar: .utc, isDryRun: choices.flag()))
}

extension Choices {
    /// A number of things, as a program counts them.
    fileprivate mutating func count() -> Int { Int(number(UInt64.self) >> 1) }

    fileprivate mutating func modelEntry(_ name: Name) -> Entry {
        let origin = flag() ? Attributes.Origin(changed: number(), inode: number()) : nil
        return Entry(
            name: name, kind: one(of: [.file, .link, .directory, .removed]),
            content: Content(
                chunker: number(), size: min(number(), Content.sizeMax),
                depth: UInt8(below(Int(ListNode.levelMax) + 1)),
                root: Digest(of: [byte()])),
            version: number(), sequence: number(),
            attributes: Attributes(mode: UInt32(below(0o10000)), modified: number(), origin: origin),
            savedAt: number(), savedBy: text(), tags: tags())
    }

    fileprivate mutating func changes(_ name: Name) -> [Change] {
        [
            .remove(flag() ? .all : NamePrefix(name), ifVersion: flag() ? number() : nil),
            .rename(from: name, to: name), .copy(from: name, to: name), .revert(name, version: number()),
            .tag(name, tags().mapValues { flag() ? $0 : nil }),
        ]
    }
}
