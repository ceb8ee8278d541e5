import CLua
import Synchronization

/// A type of Lua values (Lua 5.4 manual §2.1), and `none` for an argument that was not given.
package enum LuaType: Int32, Sendable {
    case none = -1
    case `nil`, boolean, lightUserdata, number, string, table, function, userdata, thread

    init(_ code: Int32) {
        self = LuaType(rawValue: code) ?? .none
    }
}

/// Holds a Lua value alive for Swift.
///
/// May be kept, passed on and dropped on any thread, even after its state has closed; it means something only to the
/// state it came from. Dropping the last one queues the release to that state's thread, which does it before its next
/// work. A Swift object that holds a reference to a function that captures that same object is a cycle that only
/// closing the state ends.
package final class LuaReference: Sendable {
    let queue: ReleaseQueue
    let index: Int32
    /// The type of the value, which never changes.
    package let type: LuaType

    init(queue: ReleaseQueue, index: Int32, type: LuaType) {
        self.queue = queue
        self.index = index
        self.type = type
    }

    deinit {
        queue.append(index)
    }
}

extension LuaReference: Hashable {
    /// By identity of the reference: two references to one table are not equal (see `LuaState.areEqual`).
    package static func == (left: LuaReference, right: LuaReference) -> Bool {
        left === right
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(self))
    }
}

/// The references that were dropped since their state last looked. Bounded by the number of references that exist.
final class ReleaseQueue: Sendable {
    private let dropped = Mutex<[Int32]>([])
    private let hasDropped = Atomic<Bool>(false)

    func append(_ index: Int32) {
        dropped.withLock { $0.append(index) }
        hasDropped.store(true, ordering: .releasing)
    }

    func takeAll() -> [Int32] {
        guard hasDropped.load(ordering: .acquiring) else { return [] }
        return dropped.withLock { indexes in
            hasDropped.store(false, ordering: .relaxed)
            defer { indexes.removeAll() }
            return indexes
        }
    }

    var isEmpty: Bool {
        !hasDropped.load(ordering: .relaxed)
    }
}
