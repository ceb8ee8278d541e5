import FuzzSupport
import VaultModel
import VaultStore

/// What an object store answers: plain answers first, then such as no honest one gives.
extension Choices {
    mutating func answer() -> FakeStore.Answer {
        let status = one(of: [200, 200, 200, 206, 204, 403, 404, 416, 400, 301])
        // What is tried again costs time.
        if rarely(128) { return FakeStore.Answer(one(of: [500, 503, 429]), [], []) }
        var headers: [(String, String)] = []
        if flag() { headers.append(("date", time())) }
        if flag() { headers.append(("etag", header())) }
        var answer = FakeStore.Answer(status, headers, flag() ? Array(document().utf8) : content())
        // Of one that is cut short and does not end, the client waits for the rest.
        let isCut = rarely(128)
        if isCut { answer.bytes.removeLast(below(answer.bytes.count)) }
        answer.endsConnection = rarely(64) || isCut
        return answer
    }

    /// A line of a header, which has no end of line.
    private mutating func header() -> String {
        String(decoding: someBytes().filter { (0x20...0x7E).contains($0) }, as: UTF8.self)
    }

    private mutating func content() -> [UInt8] {
        let bytes = someBytes(80)
        if rarely(4) {
            let header = RecordHeader(
                kind: one(of: [.chunk, .listNode, .journalGroup]), vault: StoreFuzz.vault, length: UInt32(bytes.count),
                digest: Digest(of: bytes))
            return PackHeader(vault: StoreFuzz.vault, pack: PackID(UniqueID(high: 1, low: 1))).encoded + header.encoded
                + bytes
        }
        return rarely(16) ? [UInt8](repeating: byte(), count: below(200_000)) : bytes
    }

    mutating func document() -> String {
        var text = ""
        for _ in 0..<below(6) { text += element() }
        if rarely(32) { text = String(repeating: text, count: 200) }
        return rarely() ? String(decoding: text.utf8.prefix(below(text.utf8.count + 1)), as: UTF8.self) : text
    }

    private mutating func element() -> String {
        switch below(8) {
        case 0, 1, 2:
            let (key, size) = (
                flag() ? "\(StoreFuzz.folder)00/\(UniqueID(high: 0, low: number())).pack" : text(), size()
            )
            return "<Contents><Key>\(key)</Key><Size>\(size)</Size><LastModified>\(time())</LastModified></Contents>"
        case 3: return "<IsTruncated>\(flag() ? "true" : text())</IsTruncated>"
        case 4: return "<NextContinuationToken>\(text())</NextContinuationToken>"
        case 5: return "<UploadId>\(text())</UploadId>"
        case 6:
            let codes = ["RequestTimeTooSkewed", "ExpiredToken", "NoSuchBucket", "QuotaExceeded", text()]
            return "<Error><Code>\(one(of: codes))</Code></Error>"
        default: return text()
        }
    }

    private mutating func size() -> String {
        flag() ? "\(number(UInt64.self))" : one(of: ["0", "-1", "+5", "18446744073709551616", "1e9", "٣", text()])
    }

    /// A time in one of the two forms that object stores write, or in none.
    mutating func time() -> String {
        let field = { (choices: inout Choices) in
            choices.flag() ? "\(choices.below(70))" : "\(choices.number(Int64.self))"
        }
        switch below(4) {
        case 0: return "2013-05-24T00:00:00.000Z"
        case 1:
            let parts = (0..<6).map { _ in field(&self) }
            return "\(parts[0])-\(parts[1])-\(parts[2])T\(parts[3]):\(parts[4]):\(parts[5])Z"
        case 2: return "Fri, 24 May 2013 00:00:00 GMT"
        default:
            let parts = (0..<5).map { _ in field(&self) }
            return "Fri, \(parts[0]) May \(parts[1]) \(parts[2]):\(parts[3]):\(parts[4]) GMT"
        }
    }
}
