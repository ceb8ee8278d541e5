/// The Swift objects that a state's userdata and functions stand for.
///
/// The table, not the userdata, holds the objects: whatever a finalizer missed is let go when the state closes.
struct SlotTable {
    private var objects: [AnyObject?] = []
    private var free: [UInt32] = []

    var count: Int {
        objects.count - free.count
    }

    mutating func insert(_ object: AnyObject) -> UInt32 {
        if let slot = free.popLast() {
            objects[Int(slot)] = object
            return slot
        }
        objects.append(object)
        return UInt32(objects.count - 1)
    }

    /// Returns the object, so that its deinit, which may reach this table again, runs after the access has ended.
    mutating func remove(_ slot: UInt32) -> AnyObject? {
        let object = objects[Int(slot)]
        objects[Int(slot)] = nil
        free.append(slot)
        return object
    }

    mutating func removeAll() -> [AnyObject?] {
        defer {
            objects = []
            free = []
        }
        return objects
    }
}
