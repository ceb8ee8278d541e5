import Glibc

/// A time of the monotonic clock, in nanoseconds.
struct Moment: Comparable {
    var nanoseconds: Int64

    static var now: Moment {
        var time = Glibc.timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Moment(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    static let distantFuture = Moment(nanoseconds: .max)

    static func < (left: Moment, right: Moment) -> Bool { left.nanoseconds < right.nanoseconds }

    static func + (left: Moment, seconds: Double) -> Moment {
        let sum = Double(left.nanoseconds) + seconds * 1e9
        return Moment(nanoseconds: sum < 9e18 ? left.nanoseconds + Int64(seconds * 1e9) : .max)
    }

    var timespec: Glibc.timespec {
        Glibc.timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    }
}
