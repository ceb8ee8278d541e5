import CLua

/// A coroutine that Swift starts and resumes, and in which callbacks can wait.
///
/// A callback waits by `LuaCall.park`: that suspends the whole chain of coroutines from the one that called it to the
/// fiber's own, and `resume()` returns. To scripts a parked coroutine is as good as running: `coroutine.status` says
/// "normal", and neither `resume` nor `close` touches it. Confined to the state's thread.
package final class LuaFiber {
    /// How a fiber came to a halt.
    package enum Halt {
        /// A callback waits; `resume()` goes on with it.
        case parked
        /// The function returned; `LuaCall.returns(resultsOf:)` hands out what.
        case ended
        case failed(LuaError)
    }

    private let thread: OpaquePointer
    private unowned(unsafe) let state: LuaState
    private let anchor: LuaReference
    private var isBegun = false
    /// A table of the values that it has ended with, and how many; nil for none.
    fileprivate var results: (reference: LuaReference, count: Int)?
    /// What goes on with the callback that has parked.
    fileprivate(set) var continuation: LuaFunction.Body?

    fileprivate init(_ state: LuaState, _ thread: OpaquePointer, _ anchor: LuaReference) {
        self.state = state
        self.thread = thread
        self.anchor = anchor
    }

    /// Runs the fiber until it parks or ends. Must not be called for one that has ended, or runs.
    package func resume() -> Halt {
        guard let owner = state.owner, let current = state.current else { return .failed(.closed) }
        clua_register(owner)
        state.releaseReferences()
        let outer = state.fiber
        state.fiber = self
        defer { state.fiber = outer }
        var failure = CLuaFailure()
        defer { clua_failure_dispose(&failure) }
        var results = CLuaResults()
        defer { isBegun = true }
        switch clua_fiber_resume(owner, current, thread, isBegun, &results, &failure) {
        case CLUA_FIBER_PARKED: return .parked
        case CLUA_FIBER_ENDED:
            if results.count > 0 {
                let reference = LuaReference(queue: state.releases, index: results.reference, type: .table)
                self.results = (reference, Int(results.count))
            }
            return .ended
        default:
            continuation = nil
            return .failed(state.error(CLUA_STATUS_RUNTIME, failure, current))
        }
    }

    /// Ends a parked fiber: its to-be-closed variables are closed, and so are those of the coroutines that it waits for.
    /// What they raise is lost.
    package func close() {
        continuation = nil
        guard let owner = state.owner, let current = state.current else { return }
        clua_register(owner)
        clua_fiber_close(owner, current, thread)
    }
}

extension LuaCall {
    /// Makes a fiber that will call argument `number` with the arguments that follow it.
    package func fiber(_ number: Int) throws(LuaError) -> LuaFiber {
        guard self[number].type == .function else { throw .type(number, expected: "function") }
        var fiber: OpaquePointer?
        var reference: Int32 = 0
        guard clua_fiber_create(thread, Int32(number), &fiber, &reference), let fiber else { throw .outOfMemory }
        return LuaFiber(state, fiber, LuaReference(queue: state.releases, index: reference, type: .thread))
    }

    /// Whether the callback can wait without holding up other fibers. It cannot where Lua code between it and its fiber
    /// cannot yield (Lua 5.4 manual §4.5), and outside of fibers.
    package var canPark: Bool {
        guard let owner = state.owner, state.fiber != nil else { return false }
        return clua_can_park(owner, thread)
    }

    /// Whether a finalizer is running, which holds up everything and can be held up by nothing.
    package var isFinalizing: Bool {
        clua_is_finalizing(thread)
    }

    /// Suspends the fiber once the callback has returned, which must add no results. `body` goes on with the call when
    /// the fiber is resumed: it has the same arguments, and may park again. Only where `canPark`.
    package func park(_ body: @escaping LuaFunction.Body) {
        guard let fiber = state.fiber else { preconditionFailure("only a fiber can park") }
        fiber.continuation = body
        state.isParking = true
    }

    /// Adds the values that a fiber has ended with as results. The caller keeps it alive until the call has ended, by an
    /// argument that holds it.
    package func returns(resultsOf fiber: LuaFiber) {
        guard let results = fiber.results else { return }
        clua_write_integer(buffer, CLUA_OP_RESULTS, UInt32(results.count), Int64(results.reference.index))
    }

    /// Which coroutine made the call.
    package var coroutine: LuaCoroutineID {
        LuaCoroutineID(address: UInt(bitPattern: thread))
    }

    /// The coroutine that made the call and those that wait for it, the innermost first.
    package var chain: [LuaCoroutineID] {
        guard let owner = state.owner else { return [] }
        // More cannot be nested (LUAI_MAXCCALLS).
        let max = 256
        return withUnsafeTemporaryAllocation(of: UnsafeRawPointer?.self, capacity: max) { threads in
            let count = clua_chain(owner, thread, threads.baseAddress, UInt32(max))
            return threads[..<Int(count)].map { LuaCoroutineID(address: UInt(bitPattern: $0)) }
        }
    }
}

extension LuaState {
    /// Goes on with the callback that parked the running fiber.
    func goOn(_ thread: OpaquePointer, _ results: UnsafeMutablePointer<CLuaBuffer>) -> CLuaOutcome {
        perform(thread, results) { call in
            guard let fiber, let body = fiber.continuation else { throw LuaError.message("nothing is waited for") }
            fiber.continuation = nil
            try body(call)
        }
    }
}

/// A coroutine, to be compared with those that run. It is not kept alive by this.
package struct LuaCoroutineID: Hashable, Sendable {
    fileprivate let address: UInt
}
