import CLua

/// What C needs to hand the results of a program to a Swift closure.
private struct Consumption {
    let body: (OpaquePointer) -> Void
}

extension LuaState {
    /// Writes a program, has C execute it in a protected frame, and reads what it left there.
    ///
    /// - Parameter consume: gets the thread; the values are 1...top. It runs before the frame ends, so it may keep
    ///   references, and must leave nothing that needs a stack slot of its own beyond `LUA_MINSTACK`.
    func execute(
        _ write: (LuaWriter) -> Void, consume: (OpaquePointer) -> Void = { _ in }
    ) throws(LuaError) {
        guard let owner, let thread = current else {
            throw .closed
        }
        clua_register(owner)
        releaseReferences()
        var failure = CLuaFailure()
        defer { clua_failure_dispose(&failure) }
        var program = CLuaBuffer()
        clua_buffer_init(&program, owner, nil, 0)
        withUnsafeMutablePointer(to: &program) { write(LuaWriter(state: self, buffer: $0)) }
        let status = withoutActuallyEscaping(consume) { consume in
            var consumption = Consumption(body: consume)
            return withUnsafeMutablePointer(to: &consumption) { consumption in
                clua_execute(
                    owner, thread, &program,
                    { context, thread in
                        guard let context, let thread else { return }
                        context.assumingMemoryBound(to: Consumption.self).pointee.body(thread)
                    }, consumption, &failure)
            }
        }
        if status != CLUA_STATUS_OK { throw error(status, failure, thread) }
    }

    /// Executes a program for all the values that it leaves.
    func values(_ write: (LuaWriter) -> Void) throws(LuaError) -> [LuaValue] {
        var values: [LuaValue] = []
        var problem: LuaError?
        try execute(write) { thread in
            let count = Int(clua_top(thread))
            values.reserveCapacity(count)
            do throws(LuaError) {
                for index in 1...max(1, count) where index <= count {
                    values.append(try self.view(thread, Int32(index)).value())
                }
            } catch {
                problem = error
            }
        }
        if let problem { throw problem }
        return values
    }

    /// Executes a program for its one value, kept.
    func referenceToResult(_ write: (LuaWriter) -> Void) throws(LuaError) -> LuaReference {
        var reference: LuaReference?
        try execute(write) { thread in
            reference = try? self.view(thread, 1).reference()
        }
        guard let reference else { throw .outOfMemory }
        return reference
    }

    func view(_ thread: OpaquePointer, _ index: Int32) -> LuaView {
        LuaView(state: self, thread: thread, index: index, subject: LuaView.Subject(argument: 0, path: ""))
    }

    /// Describes a failed program, and takes its error value off the stack.
    func error(_ status: CLuaStatus, _ failure: CLuaFailure, _ thread: OpaquePointer) -> LuaError {
        let code: LuaError.Code =
            switch status {
            case CLUA_STATUS_SYNTAX: .syntax
            case CLUA_STATUS_MEMORY: .memory
            case CLUA_STATUS_HANDLER: .handler
            case CLUA_STATUS_FILE: .file
            default: .runtime
            }
        guard failure.has_value else { return .outOfMemory }
        let top = clua_top(thread)
        let value = try? view(thread, top).value()
        clua_set_top(thread, top - 1)
        var message = text(failure.message, failure.message_length)
        if message == nil, case .bytes(let bytes) = value { message = String(decoding: bytes, as: UTF8.self) }
        return LuaError(
            code: code, message: message ?? "(error object without a text)",
            traceback: text(failure.traceback, failure.traceback_length), value: value, hasOwnText: failure.own_text,
            raising: .value)
    }

    private func text(_ bytes: UnsafeMutablePointer<CChar>?, _ length: Int) -> String? {
        bytes.map { String(decoding: UnsafeRawBufferPointer(start: $0, count: length), as: UTF8.self) }
    }
}
