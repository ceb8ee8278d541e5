import FoundationEssentials
import FuzzSupport
import SwiftProtobuf
import VaultModel
import VaultWire

/// An honest client and an honest server talk, and the bytes between them take their time.
func fuzzDialogue(_ input: [UInt8]) throws(BrokenInvariant) {
    var choices = Choices(input)
    var dialogue = Dialogue()
    dialogue.client.greet()
    while !choices.isEmpty {
        let step = choices.below(10)
        let count = choices.repetitions()
        let same = choices
        for _ in 0..<count {
            choices = same
            try dialogue.take(step, &choices)
        }
        try dialogue.check()
    }
    try dialogue.finish()
}

/// Both ends of a connection, neither of which breaks the protocol.
private struct Dialogue {
    var client = ClientSide()
    var server = ServerSide()
    /// Honest messages are much shorter than they may be: a fuzzer's time is spent on what happens between them.
    private static let messageBytesMax = 1 << 14

    /// Bytes of content that the client, and the server, have still to send.
    var uploads: [UInt32: Int] = [:]
    var downloads: [UInt32: Int] = [:]

    mutating func take(_ step: Int, _ choices: inout Choices) throws(BrokenInvariant) {
        switch step {
        case 0: try deliverToServer(choices.below(600))
        case 1: try deliverToClient(choices.below(600))
        case 2: request(&choices)
        case 3: upload(&choices)
        case 4: try giveUp(&choices)
        case 5: server.advanceLogin(challenging: choices.flag())
        case 6: answer(&choices)
        case 7: download(&choices)
        case 8: if client.isChallenged { client.prove() }
        default: if client.takesRequests { _ = client.send(.with { $0.ping = WirePing() }) }
        }
    }

    mutating func deliverToServer(_ count: Int) throws(BrokenInvariant) {
        try server.receive(client.output.take(count))
    }

    mutating func deliverToClient(_ count: Int) throws(BrokenInvariant) {
        try client.receive(server.output.take(count))
    }

    func check() throws(BrokenInvariant) {
        if let violation = client.violation ?? server.violation {
            throw BrokenInvariant("an honest peer is said to have sent \(violation.what)")
        }
    }

    /// The client sends a request, unless as many are under way as were agreed.
    mutating func request(_ choices: inout Choices) {
        guard client.takesRequests, client.machine.requestsInFlight < WireLimits.requestsMax else { return }
        var message = choices.clientMessage()
        switch message.body {
        case .hello, .loginBegin, .loginProof, .cancel, .ping, nil: message = .someStat
        default: break
        }
        // What an honest client does not send.
        guard let bytes = try? message.contentBytes, bytes < 1 << 16,
            let length = try? message.serializedData().count, length <= Dialogue.messageBytesMax
        else { return }
        if bytes > 0 {
            // One content after another: what is left of one that was refused is not sent any more.
            guard uploads.keys.allSatisfy({ client.requests[$0] == nil }) else { return }
            uploads = [:]
        }
        let id = client.send(message)
        if bytes > 0 { uploads[id] = bytes }
    }

    mutating func upload(_ choices: inout Choices) {
        guard !uploads.isEmpty else { return }
        let id = choices.one(of: uploads.keys.sorted())
        // The rest of the content of a request that has failed may be sent or not.
        if client.requests[id] == nil, choices.flag() {
            uploads[id] = nil
            return
        }
        let count = 1 + choices.below(uploads[id] ?? 1)
        client.output += dataFrame(count, id)
        let rest = (uploads[id] ?? 0) - count
        uploads[id] = rest > 0 ? rest : nil
    }

    mutating func giveUp(_ choices: inout Choices) throws(BrokenInvariant) {
        guard client.takesRequests, !client.requests.isEmpty else { return }
        let id = choices.one(of: client.requests.keys.sorted())
        client.giveUp(id)
        uploads[id] = nil
    }

    mutating func answer(_ choices: inout Choices) {
        let open = server.requests.keys.filter { downloads[$0] == nil }.sorted()
        guard !open.isEmpty else { return }
        let id = choices.one(of: open)
        guard let request = server.requests[id] else { return }
        if choices.rarely(4) { return server.answer(id, .with { $0.failure = choices.failure() }) }
        let answer = WireServerMessage(to: request.message, &choices)
        let bytes = (try? answer.contentBytes) ?? 0
        server.answer(id, answer, isLast: bytes == 0)
        if bytes > 0 { downloads[id] = bytes }
    }

    mutating func download(_ choices: inout Choices) {
        guard !downloads.isEmpty else { return }
        let id = choices.one(of: downloads.keys.sorted())
        let missing = downloads[id] ?? 1
        if choices.rarely() {
            downloads[id] = nil
            return server.answer(id, .failure(VaultError(.integrity, "It is damaged.")))
        }
        let count = 1 + choices.below(missing)
        server.answer(id, contentBytes: count, isLast: count == missing)
        downloads[id] = count == missing ? nil : missing - count
    }

    /// Lets all that is under way come to its end: nothing stays.
    mutating func finish() throws(BrokenInvariant) {
        var plain = Choices([])
        while !(client.output.isEmpty && server.output.isEmpty) || server.step != nil || client.isChallenged {
            try deliverToServer(client.output.count)
            server.advanceLogin(challenging: false)
            try deliverToClient(server.output.count)
            if client.isChallenged { client.prove() }
        }
        while !uploads.isEmpty { upload(&plain) }
        try deliverToServer(client.output.count)
        while server.requests.count > downloads.count { answer(&plain) }
        while !downloads.isEmpty { download(&plain) }
        try deliverToClient(server.output.count)
        try check()
        try require(client.machine.isOpen && server.machine.isOpen, "a login does not come to its end")
        try require(client.machine.requestsInFlight == 0, "a request is left without an answer at the client")
        try require(server.machine.requestsInFlight == 0, "a request is left without an answer at the server")
        try requireBounds(of: server.machine)
        try requireBounds(of: client.machine)
    }
}

extension WireServerMessage {
    /// An answer of the kind that a request has.
    fileprivate init(to request: WireClientMessage, _ choices: inout Choices) {
        self.init()
        switch request.body {
        case .save: saveReady = WireSaveReady()
        case .offer: need = WireNeed()
        case .commit: saved.outcome = choices.outcome()
        case .saveSmall: smallSaved = WireSmallSaved()
        case .openRead:
            readReady.first = choices.honestChunks()
            readReady.contentFollows = choices.flag()
        case .readSmall: smallReady.results = choices.honestResults()
        case .layout: placed.chunks = choices.honestChunks()
        case .fetch: fetchReady.chunks = choices.honestChunks()
        case .list: page = WirePage()
        case .stat: found.entry = choices.entry()
        case .history: versions.entries = [choices.entry()]
        case .change: changed = WireChanged()
        case .keep: kept = WireKept()
        case .collect: collected = WireCollected()
        case .verify: verified = WireVerified()
        case .status: statusReport = WireStatusReport()
        case .hookBegin: hookSetup = WireHookSetup()
        case .hookValue: hookStored = WireHookStored()
        case .put, .abort, .closeRead, .enrolKey, .hookReady, .hookLog: done = WireDone()
        case .hello, .loginBegin, .loginProof, .cancel, .ping, nil: break
        }
    }
}

extension Choices {
    fileprivate mutating func honestResults() -> [WireSmallFound] {
        (0..<below(3)).map { _ in
            var found = WireSmallFound()
            if flag() {
                found.failure = WireFailure(.cancelled)
            } else {
                found.entry.name = Data("a".utf8)
                found.entry.kind = .file
                found.entry.content = WireContent(
                    Content(ChunkReference(digest: Digest(of: []), span: UInt64(1 + below(300)))))
            }
            return found
        }
    }

    fileprivate mutating func honestChunks() -> WireChunkList {
        WireChunkList(
            (0..<below(4)).map { ChunkReference(digest: Digest(of: [UInt8($0)]), span: UInt64(1 + below(300))) })
    }
}
