/// How a state is made.
package struct LuaOptions {
    /// The standard libraries (Lua 5.4 manual §6).
    package struct Libraries: OptionSet, Sendable {
        package let rawValue: UInt32

        package init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        package static let base = Libraries(rawValue: 1 << 0)
        package static let package = Libraries(rawValue: 1 << 1)
        package static let coroutine = Libraries(rawValue: 1 << 2)
        package static let table = Libraries(rawValue: 1 << 3)
        package static let io = Libraries(rawValue: 1 << 4)
        package static let os = Libraries(rawValue: 1 << 5)
        package static let string = Libraries(rawValue: 1 << 6)
        package static let math = Libraries(rawValue: 1 << 7)
        package static let utf8 = Libraries(rawValue: 1 << 8)
        package static let debug = Libraries(rawValue: 1 << 9)
        package static let all = Libraries(rawValue: 1 << 10 - 1)
    }

    /// A run of refused requests for memory, so that tests can reach every path of failure.
    ///
    /// Lua answers a refusal with an emergency collection and asks once more (§2.5): one refusal alone is a collection,
    /// two in a row are a memory error.
    package struct AllocationFailure: Sendable {
        /// The first refused request, counted from 1 since the state's start.
        package var first: UInt64
        /// How many requests from there on are refused.
        package var count: UInt64

        package init(first: UInt64, count: UInt64 = .max) {
            self.first = first
            self.count = count
        }
    }

    /// What Lua may allocate in all; nil for no limit. Swift's own objects do not count.
    package var memoryLimitBytes: Int?
    /// What is added to the limit when memory is out, for what then ends.
    package var memoryReserveBytes = 0
    package var libraries: Libraries = .all
    /// Whether `LUA_PATH` and `LUA_CPATH` are ignored, as by `lua -E`.
    package var ignoresEnvironment = false
    /// What stops the state's code.
    package var interrupt = LuaInterrupt()
    /// The error value that an interrupt raises; `setInterruptValue` can change it to one that is not a string.
    package var interruptMessage = "interrupted!"
    package var allocationFailure: AllocationFailure?

    package init() {}
}
