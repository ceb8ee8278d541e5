import FuzzSupport
import VaultModel
import VaultWire

/// Logs in by password while somebody between the two changes the messages, or makes up all of them.
func fuzzLogin(_ input: [UInt8]) throws(BrokenInvariant) {
    var choices = Choices(input)
    switch choices.below(4) {
    case 0: try fuzzScramServer(&choices)
    case 1: fuzzScramClient(&choices)
    case 2: try fuzzTexts(choices.rest)
    default: try fuzzChangedLogin(&choices)
    }
}

/// A server knows nobody's password here who says anything but what an honest client says.
private func fuzzScramServer(_ choices: inout Choices) throws(BrokenInvariant) {
    var server = ScramServer(binding: Scene.binding, nonce: Scene.serverNonce)
    let first = choices.rest.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false).map(Array.init)
    guard let user = try? server.begin(first[0]) else { return }
    _ = try? UserName(user)
    _ = server.challenge(Scene.credentials)
    try require((try? server.verify(first.count > 1 ? first[1] : [])) == nil, "a login without the password")
}

private func fuzzScramClient(_ choices: inout Choices) {
    var client = ScramClient(
        user: Scene.user, password: Scene.password, binding: Scene.binding, nonce: Scene.clientNonce)
    _ = client.first()
    let isFinal = choices.flag()
    let message = isFinal ? Scene.serverFirst : choices.rest
    guard !isSlow(message), (try? client.respond(to: message)) != nil, isFinal else { return }
    _ = try? client.verify(choices.rest)
}

/// What a peer names, and what a user types.
private func fuzzTexts(_ bytes: [UInt8]) throws(BrokenInvariant) {
    let text = String(decoding: bytes, as: UTF8.self)
    if let name = try? UserName(text) { try require(name.text == text, "a user name changes") }
    if let digest = try? Digest(fingerprint: text) {
        try require(digest.fingerprint == text, "two fingerprints for one key")
    }
    _ = try? PasswordText(text)
}

/// Who is let in has said what the honest client says, to a server whose words came as they were said.
private func fuzzChangedLogin(_ choices: inout Choices) throws(BrokenInvariant) {
    var server = ScramServer(binding: Scene.binding, nonce: Scene.serverNonce)
    var client = ScramClient(
        user: Scene.user, password: Scene.password, binding: choices.rarely() ? [1] : Scene.binding,
        nonce: Scene.clientNonce)
    let clientFirst = client.first()
    let clientFirstHeard = choices.changed(clientFirst)
    guard (try? server.begin(clientFirstHeard)) != nil else { return }
    let serverFirst = server.challenge(Scene.credentials)
    let serverFirstHeard = choices.changed(serverFirst)
    guard !isSlow(serverFirstHeard), let clientFinal = try? client.respond(to: serverFirstHeard) else { return }
    let clientFinalHeard = choices.changed(clientFinal)
    guard let serverFinal = try? server.verify(clientFinalHeard) else { return }
    let isUnchanged =
        clientFirst == clientFirstHeard && serverFirst == serverFirstHeard && clientFinal == clientFinalHeard
    try require(isUnchanged, "a login whose messages were changed is let in")
    let serverFinalHeard = choices.changed(serverFinal)
    guard (try? client.verify(serverFinalHeard)) != nil else { return }
    // Behind the signature, extensions may come, which have no meaning.
    try require(serverFinalHeard.starts(with: serverFinal), "a server is trusted without its proof")
}

/// Whether a server asks for so much hashing that a fuzzer would wait for it, as a client does.
private func isSlow(_ serverFirst: [UInt8]) -> Bool {
    let parts = serverFirst.split(separator: UInt8(ascii: ","))
    let iterations = parts.first { $0.starts(with: Array("i=".utf8)) }.flatMap {
        Int(String(decoding: $0.dropFirst(2), as: UTF8.self))
    }
    return (5_000...WireLimits.scramIterations.upperBound).contains(iterations ?? 0)
}

/// Who logs in to whom.
private enum Scene {
    static let binding = [UInt8](repeating: 7, count: 32)
    static let clientNonce = ScramNonce(random: [UInt8](repeating: 1, count: 18))
    static let serverNonce = ScramNonce(random: [UInt8](repeating: 2, count: 18))
    static let user: UserName = made { () throws(VaultError) in try UserName("alice") }
    static let password: PasswordText = made { () throws(VaultError) in try PasswordText("pencil") }
    static let credentials = ScramCredentials(
        password: password, salt: [UInt8](repeating: 3, count: 16), iterations: WireLimits.scramIterations.lowerBound)

    /// What an honest server says first to this client.
    static let serverFirst: [UInt8] = {
        var server = ScramServer(binding: binding, nonce: serverNonce)
        var client = ScramClient(user: user, password: password, binding: binding, nonce: clientNonce)
        guard (try? server.begin(client.first())) != nil else { preconditionFailure("an honest login is refused") }
        return server.challenge(credentials)
    }()

    private static func made<Value>(_ make: () throws(VaultError) -> Value) -> Value {
        do { return try make() } catch { preconditionFailure("\(error)") }
    }
}

extension Choices {
    /// The message, or one that differs in a few bytes.
    fileprivate mutating func changed(_ message: [UInt8]) -> [UInt8] {
        var message = message
        for _ in 0..<below(4) {
            let place = below(message.count + 1)
            switch below(4) {
            case 0: message.insert(byte(), at: place)
            case 1: if place < message.count { message.remove(at: place) }
            case 2: if place < message.count { message[place] = byte() }
            default: message.insert(contentsOf: Array(one(of: [",x=y", ",m=y", ",", "=2C"]).utf8), at: place)
            }
        }
        return message
    }
}
