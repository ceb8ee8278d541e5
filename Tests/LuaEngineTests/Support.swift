import LuaEngine
import Synchronization

/// Counts the Swift objects of one test that are alive.
final class Census: Sendable {
    let alive = Atomic<Int>(0)

    var count: Int { alive.load(ordering: .relaxed) }
}

/// An object that its census counts.
final class Counted {
    let census: Census
    var value = 0

    init(_ census: Census) {
        self.census = census
        census.alive.add(1, ordering: .relaxed)
    }

    deinit {
        census.alive.subtract(1, ordering: .relaxed)
    }
}

/// An error of Swift's own.
struct Trouble: Error, CustomStringConvertible {
    var description: String { "trouble in Swift" }
}

/// The text of the error that `body` throws, without its traceback.
func message(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch let error as LuaError {
        return error.message
    } catch {
        return String(describing: error)
    }
}

/// The `LuaError` that `body` throws.
func luaError(_ body: () throws -> Void) -> LuaError? {
    do {
        try body()
        return nil
    } catch {
        return error as? LuaError
    }
}
