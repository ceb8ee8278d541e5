import CLua

/// One Lua state, confined to the thread that made it.
///
/// No Lua error ever leaves CLua: what goes wrong in Lua code is thrown as a `LuaError`. Swift objects that were handed
/// to Lua stay alive until Lua collects or closes them, and at the latest until `close()`.
package final class LuaState {
    /// Stops this state's code from any thread.
    package let interrupt: LuaInterrupt
    /// Told before `os.exit` ends the process, with the exit status. Runs on the state's thread; Lua is not to be used in
    /// it, because the state may be closed already. The C streams are flushed after it, and `_exit` ends the process.
    package var onExit: ((Int32) -> Void)?
    /// Told that the program which made an adopted state is closing it. Lua is not to be used in it.
    package var onClose: (() -> Void)?
    /// Gets each warning (`warn`, errors in finalizers) once they are on; without it they go to standard error.
    package var onWarning: ((String) -> Void)? {
        didSet { owner?.pointee.host.warn = onWarning == nil ? nil : LuaState.warn }
    }
    /// Makes a Lua error of what a callback throws that is no `LuaError`. Without it the error's description is raised.
    package var describeError: ((any Error) -> LuaError)?

    /// Nil once the state has closed.
    var owner: UnsafeMutablePointer<CLuaOwner>?
    /// The coroutine that is running, by which nested calls go.
    var current: OpaquePointer?
    /// The fiber that is running; nil outside of fibers.
    var fiber: LuaFiber?
    /// Whether the running callback has parked.
    var isParking = false
    var slots = SlotTable()
    var metatables: [ObjectIdentifier: (type: AnyObject, reference: LuaReference)] = [:]
    let releases = ReleaseQueue()
    private let isAdopted: Bool

    /// Makes a state and opens its libraries.
    ///
    /// - Throws: `LuaError` of code `memory` when memory is out, or the limit is below what the libraries need.
    package init(_ options: LuaOptions = LuaOptions()) throws(LuaError) {
        interrupt = options.interrupt
        isAdopted = false
        let memory = CLuaMemory(
            used_bytes: 0, limit_bytes: options.memoryLimitBytes ?? .max,
            reserve_bytes: options.memoryReserveBytes, refused_call: 0, calls: 0,
            fail_first: options.allocationFailure?.first ?? 0, fail_count: options.allocationFailure?.count ?? 0)
        owner = clua_open(
            host(), memory, interrupt.pointer, options.libraries.rawValue, options.ignoresEnvironment,
            options.interruptMessage)
        guard let owner else { throw .outOfMemory }
        current = owner.pointee.main
    }

    /// Takes on a state that another program made and will close, such as a stock `lua` that requires our module.
    ///
    /// Its hook, allocator, warnings and `os.exit` stay its own. This object then stays alive until that state closes.
    ///
    /// - Parameter state: a `lua_State *`, on whose thread this is called.
    package init(adopting state: OpaquePointer) throws(LuaError) {
        interrupt = LuaInterrupt()
        isAdopted = true
        owner = clua_adopt(state, host())
        guard let owner else { throw .outOfMemory }
        current = owner.pointee.main
        _ = Unmanaged.passRetained(self)
    }

    deinit {
        if !isAdopted { close() }
    }

    /// Closes the state: runs pending finalizers, and callbacks in them, and lets go of every Swift object.
    ///
    /// Closing twice, or a state whose program closes it, does nothing. Must not be called from a callback.
    package func close() {
        guard !isAdopted, let owner else { return }
        precondition(owner.pointee.request == nil, "a state was closed by its own callback")
        clua_register(owner)
        clua_close(owner)
        forgetObjects()
        self.owner = nil
        current = nil
        clua_free(owner)
    }

    /// What Lua has allocated; 0 once closed.
    package var memoryUsedBytes: Int {
        owner?.pointee.memory.used_bytes ?? 0
    }

    /// How often Lua has asked for more memory, by which `LuaOptions.AllocationFailure` counts.
    package var allocationCount: UInt64 {
        owner?.pointee.memory.calls ?? 0
    }

    /// Adds the reserve to the limit, as running out of memory does.
    package func releaseMemoryReserve() {
        if let owner { clua_release_reserve(&owner.pointee.memory) }
    }

    /// What Lua may allocate in all; nil for no limit. A limit below what is used refuses all growth.
    package var memoryLimitBytes: Int? {
        get { owner.flatMap { $0.pointee.memory.limit_bytes == .max ? nil : $0.pointee.memory.limit_bytes } }
        set { owner?.pointee.memory.limit_bytes = newValue ?? .max }
    }

    /// Whether warnings are shown, as `warn "@on"` and `"@off"` decide; off at first, like `lua` without `-W`.
    package var areWarningsOn: Bool {
        get { owner?.pointee.warning_on ?? false }
        set { owner?.pointee.warning_on = newValue }
    }

    /// How many Swift objects, functions included, Lua holds.
    package var objectCount: Int {
        slots.count
    }

    func forgetObjects() {
        metatables.removeAll()
        // The objects go when the array does, after the access to the table has ended.
        _ = slots.removeAll()
    }

    /// Gives back to Lua what dropped references held. Lua finalizers, and so callbacks, may run.
    func releaseReferences() {
        guard !releases.isEmpty, let current else { return }
        for index in releases.takeAll() { clua_unreference(current, index) }
    }
}
