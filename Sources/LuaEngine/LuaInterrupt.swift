import CLua

/// Stops the running Lua code of a state from any thread.
///
/// Costs nothing until then. An interrupt signals the threads of the states that were made with it (`SIGURG`, which a
/// program must leave to this and not block). From then on every instruction of every coroutine raises the state's
/// interrupt error, so neither `pcall` nor `coroutine.wrap` in a loop outlives it. What runs in C, in a finalizer or in a
/// script's own hook is not stopped before it returns (Lua 5.4 manual §4.7). A system call of that thread may return
/// `EINTR` where `SA_RESTART` does not help, as `poll` and `nanosleep` do.
package final class LuaInterrupt: Sendable {
    /// `@unchecked`: the flag behind the pointer is a C atomic, and the pointer never changes.
    private struct Flag: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    private let flag: Flag

    package init() {
        flag = Flag(pointer: clua_interrupt_create())
    }

    deinit {
        clua_interrupt_destroy(flag.pointer)
    }

    /// Makes running Lua code raise soon. May be called from any thread and from a signal handler.
    package func interrupt() {
        clua_interrupt_set(flag.pointer, CLUA_STOP)
    }

    /// Makes the running Lua code raise once: what catches that goes on. Where none runs, the next that does raises,
    /// unless `takeOnce()` comes before it.
    package func interruptOnce() {
        clua_interrupt_set(flag.pointer, CLUA_STOP_ONCE)
    }

    /// Takes back an interrupt that stops code once.
    ///
    /// - Returns: whether it has not raised yet.
    package func takeOnce() -> Bool {
        clua_interrupt_take_once(flag.pointer)
    }

    /// Lets Lua code run again, for example the next line of a prompt.
    package func clear() {
        clua_interrupt_set(flag.pointer, CLUA_GO_ON)
    }

    package var isInterrupted: Bool {
        clua_interrupt_get(flag.pointer) != CLUA_GO_ON
    }

    /// For the state, which keeps this object alive for as long as interrupts can reach it.
    var pointer: OpaquePointer {
        flag.pointer
    }
}
