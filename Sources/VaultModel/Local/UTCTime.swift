import Glibc

/// A time as messages print it, `2026-11-23 03:00:00 UTC`.
///
/// - Parameter seconds: since 1970 UTC.
package func utcText(_ seconds: Int64) -> String {
    var time = time_t(seconds)
    var parts = tm()
    // Fails for years that do not fit their field, which a peer may name.
    guard gmtime_r(&time, &parts) != nil else { return "\(seconds) seconds after 1970" }
    var text = [CChar](repeating: 0, count: 64)
    let count = strftime(&text, text.count, "%Y-%m-%d %H:%M:%S UTC", &parts)
    return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
