import FuzzSupport
import SwiftProtobuf
import VaultModel
import VaultWire

/// Decodes one message of either side, and makes of it all that the program makes of its like.
func fuzzMessage(_ input: [UInt8]) throws(BrokenInvariant) {
    var choices = Choices(input)
    let isClient = choices.flag()
    if isClient {
        guard let message = try? WireClientMessage(decoding: choices.rest) else { return }
        try checkMeaning(of: message)
        try checkEncoding(of: message) { try WireClientMessage(decoding: $0) }
    } else {
        guard let message = try? WireServerMessage(decoding: choices.rest) else { return }
        try checkMeaning(of: message)
        try checkEncoding(of: message) { try WireServerMessage(decoding: $0) }
    }
}

/// What was decoded is encoded, and decoded to the same.
private func checkEncoding<Value: Message>(
    of message: Value, _ decode: ([UInt8]) throws -> Value
) throws(BrokenInvariant) {
    guard let first = encoded(message), let again = try? decode(first), let second = encoded(again) else {
        throw BrokenInvariant("a message that was decoded is not one")
    }
    // Compared by their bytes, since a number that is none does not equal itself.
    try require(first == second, "a message changes on its way")
}

private func encoded(_ message: some Message) -> [UInt8]? {
    var options = BinaryEncodingOptions()
    options.useDeterministicOrdering = true
    return try? message.serializedBytes(options: options)
}

/// Makes models of a client's message.
func checkMeaning(of message: WireClientMessage) throws(BrokenInvariant) {
    if let bytes = try? message.contentBytes { try require(bytes >= 0, "content of less than no bytes") }
    switch message.body {
    case .save(let save):
        _ = try? UniqueID(wire: save.upload)
        try checkReturn(of: save.intent)
    case .offer(let offer): try checkReturn(of: offer.chunks)
    case .put(let put): try checkReturn(of: put.chunks)
    case .commit(let commit): try checkReturn(of: commit.content)
    case .saveSmall(let save): for file in save.files { try checkReturn(of: file.intent) }
    case .readSmall(let read): for file in read.files { _ = try? file.model }
    case .openRead(let open): try checkReturn(of: open.selector)
    case .list(let list): try checkReturn(of: list)
    case .stat(let stat): try checkReturn(of: stat.selector)
    case .change(let change): for change in change.changes { try checkReturn(of: change) }
    case .keep(let keep): try checkReturn(of: keep)
    case .verify(let verify): _ = try? NamePrefix(wire: verify.prefix)
    default: break
    }
}

/// Makes models of a server's message.
func checkMeaning(of message: WireServerMessage) throws(BrokenInvariant) {
    if let bytes = try? message.contentBytes { try require(bytes >= 0, "content of less than no bytes") }
    switch message.body {
    case .failure(let failure): try checkReturn(of: failure)
    case .closing(let closing): try checkReturn(of: closing.reason)
    case .need(let need):
        for count in [0, 1, 7, 8, 9, need.bits.count * 8, WireLimits.chunksMax] { try checkReturn(of: need, count) }
    case .saved(let saved): try checkReturn(of: saved.outcome)
    case .smallSaved(let saved): try checkReturn(of: saved)
    case .readReady(let ready):
        try checkReturn(of: ready.entry)
        try checkReturn(of: ready.first)
    case .smallReady(let ready): _ = try? ready.model
    case .placed(let placed): try checkPlaces(of: placed)
    case .page(let page): try checkReturn(of: page)
    case .found(let found): try checkReturn(of: found.entry)
    case .versions(let versions): for entry in versions.entries { try checkReturn(of: entry) }
    case .changed(let changed): try checkReturn(of: changed)
    case .kept(let kept): try checkReturn(of: kept)
    case .collected(let collected): try checkReturn(of: collected)
    case .verified(let verified): try checkReturn(of: verified)
    default: break
    }
}
