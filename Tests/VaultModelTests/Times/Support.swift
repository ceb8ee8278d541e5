import Foundation
import Testing
import VaultModel

extension CivilZone {
    /// A zone by its name in the time zone database.
    init(named name: String) throws {
        let zone = try #require(TimeZone(identifier: name))
        // Foundation knows no time that is much farther away.
        let reach: Int64 = 1 << 40
        self.init { seconds in
            Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(min(max(seconds, -reach), reach)))))
        }
    }

    /// A zone whose clocks are changed once.
    init(_ before: Int64, until change: Int64, then after: Int64) {
        self.init { $0 < change ? before : after }
    }
}

/// A time of UTC.
func utc(_ text: String) throws -> Int64 {
    try TimeReader(zone: .utc, now: 0).seconds(text)
}
