import FoundationEssentials
import FuzzSupport
import SwiftProtobuf
import VaultWire

/// Whole messages of every kind.
extension Choices {
    mutating func clientMessage() -> WireClientMessage {
        var message = WireClientMessage()
        switch below(25) {
        case 0: message.stat = .with { ($0.name, $0.selector) = (nameBytes(), selector()) }
        case 1: message.put = .with { ($0.upload, $0.chunks) = (id(), chunks()) }
        case 2:
            message.saveSmall.change = id()
            message.saveSmall.files = some(4) { choices in
                .with {
                    $0.intent = choices.intent()
                    $0.length = choices.rarely() ? choices.number() : UInt32(choices.below(64))
                }
            }
        case 3: message.cancel.request = flag() ? UInt32(below(8)) : number()
        case 4: message.ping = WirePing()
        case 5: message.save = .with { ($0.upload, $0.intent) = (id(), intent()) }
        case 6: message.offer = .with { ($0.upload, $0.position, $0.chunks) = (id(), number(), chunks()) }
        case 7: message.commit = .with { ($0.upload, $0.content, $0.change) = (id(), content(), id()) }
        case 8: message.abort.upload = id()
        case 9: message.openRead = .with { ($0.read, $0.name, $0.selector) = (id(), nameBytes(), selector()) }
        case 10: message.layout = .with { ($0.read, $0.position, $0.count) = (id(), number(), number()) }
        case 11:
            message.fetch.read = id()
            message.fetch.positions = some(4) { $0.number() }
            message.fetch.verify = flag()
        case 12: message.closeRead.read = id()
        case 13: message.list = list()
        case 14: message.history.name = nameBytes()
        case 15:
            message.change.changes = some(4) { $0.change() }
            message.change.change = id()
        case 16: message.keep = keep()
        case 17: message.collect = WireCollect()
        case 18:
            message.verify.prefix = nameBytes()
            message.verify.sample = Double(bitPattern: number())
        case 19: message.status = WireStatus()
        case 20: message.enrolKey = .with { ($0.publicKey, $0.label) = (digest(), text()) }
        case 21: message.hello = hello()
        case 22: message.loginBegin = loginBegin()
        case 23:
            message.readSmall.files = some(4) { choices in
                .with {
                    ($0.name, $0.selector) = (choices.nameBytes(), choices.selector())
                    $0.length = UInt32(choices.below(1 << 19))
                }
            }
        default: message.loginProof = loginProof()
        }
        return message
    }

    mutating func hello() -> WireHello {
        .with {
            if rarely(4) { ($0.versionMin, $0.versionMax) = (number(), number()) } else { $0.versionMax = 1 }
            $0.program = text()
        }
    }

    mutating func loginBegin() -> WireLoginBegin {
        var begin = WireLoginBegin()
        switch below(4) {
        case 0: begin.ticket = .with { ($0.ticket, $0.control) = (digest(), flag()) }
        case 1: begin.password = .with { ($0.clientFirst, $0.vault) = (Data(someBytes()), text()) }
        case 2: begin.key = .with { ($0.user, $0.publicKey, $0.nonce) = (text(), digest(), digest()) }
        default: break
        }
        return begin
    }

    mutating func loginProof() -> WireLoginProof {
        var proof = WireLoginProof()
        switch below(3) {
        case 0: proof.signature = Data(repeating: byte(), count: 64)
        case 1: proof.clientFinal = Data(someBytes())
        default: break
        }
        return proof
    }

    mutating func serverMessage() -> WireServerMessage {
        var message = WireServerMessage()
        switch below(25) {
        case 0: if !rarely() { message.found.entry = entry() } else { message.found = WireFound() }
        case 1: message.fetchReady.chunks = chunks()
        case 2: message.readReady = .with { ($0.entry, $0.first, $0.contentFollows) = (entry(), chunks(), flag()) }
        case 3: message.failure = failure()
        case 4: message.done = WireDone()
        case 5: message.pong = WirePong()
        case 6: message.closing.reason = failure()
        case 7: message.saveReady = WireSaveReady()
        case 8: message.need.bits = Data(someBytes())
        case 9: message.saved = .with { ($0.again, $0.outcome) = (flag(), outcome()) }
        case 10: message.smallSaved.results = some(4) { $0.smallResult() }
        case 11: message.placed = .with { ($0.position, $0.chunks) = (number(), chunks()) }
        case 12:
            message.page.entries = some(4) { $0.entry() }
            if flag() { message.page.next = list() }
        case 13: message.versions.entries = some(4) { $0.entry() }
        case 14: message.changed.results = some(4) { $0.changeResult() }
        case 15:
            message.kept = .with {
                ($0.keptVersions, $0.droppedVersions, $0.forgottenNames) = (number(), number(), number())
            }
        case 16:
            message.collected = .with {
                ($0.removedChunks, $0.freedBytes, $0.keptBytes, $0.changedPacks) = (
                    number(), number(), number(), number()
                )
                if flag() { $0.reads = retained() }
                if flag() { $0.uploads = retained() }
                if flag() { $0.packs = retained() }
                if flag() { $0.writing = retained() }
            }
        case 17: message.verified = verified()
        case 18:
            message.statusReport = .with {
                ($0.user, $0.vault, $0.storedBytes, $0.grants) = (text(), text(), number(), [text()])
                if flag() { $0.quota = number() }
            }
        case 19: message.welcome = .with { ($0.version, $0.program) = (rarely(4) ? number() : 1, text()) }
        case 20: message.loginChallenge.serverFirst = Data(someBytes())
        case 21: message.loginChallenge.nonce = digest()
        case 22: message.loginChallenge = WireLoginChallenge()
        case 23:
            message.smallReady.results = some(4) { choices in
                .with { if choices.flag() { $0.entry = choices.entry() } else { $0.failure = choices.failure() } }
            }
        default: message.loginDone = loginDone()
        }
        return message
    }

    mutating func loginDone() -> WireLoginDone {
        .with {
            ($0.serverFinal, $0.ticket, $0.lingerSeconds) = (Data(someBytes()), digest(), number())
            ($0.user, $0.vault, $0.requestsMax, $0.bytesMax) = (text(), text(), number(), number())
        }
    }

    private mutating func smallResult() -> WireSmallResult {
        .with {
            switch below(3) {
            case 0: $0.outcome = outcome()
            case 1: $0.failure = failure()
            default: break
            }
        }
    }

    private mutating func changeResult() -> WireChangeResult {
        .with {
            switch below(4) {
            case 0: $0.outcome.count = number()
            case 1: $0.outcome = .with { ($0.count, $0.entry) = (number(), entry()) }
            case 2: $0.failure = failure()
            default: break
            }
        }
    }

    private mutating func retained() -> WireRetained {
        .with {
            ($0.count, $0.bytes) = (number(), number())
            if flag() { $0.endsAt = number() }
        }
    }

    private mutating func verified() -> WireVerified {
        .with {
            ($0.checkedChunks, $0.checkedBytes, $0.damagedChunks) = (number(), number(), number())
            $0.damaged = some(3) { choices in
                .with { ($0.name, $0.version) = (choices.nameBytes(), choices.number()) }
            }
            $0.problems = some(3) { $0.text() }
        }
    }
}
