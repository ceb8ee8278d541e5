import CLua

/// What C calls. Every function runs on the state's thread, returns normally, and leaves raising to its caller.
extension LuaState {
    func host() -> CLuaHost {
        CLuaHost(
            context: Unmanaged.passUnretained(self).toOpaque(),
            call: { context, callback, thread, results in
                guard let context, let callback, let thread, let results else { return CLUA_RAISE }
                let state = Unmanaged<LuaState>.fromOpaque(context).takeUnretainedValue()
                let body = Unmanaged<LuaCallback>.fromOpaque(callback).takeUnretainedValue().body
                return state.perform(thread, results, body)
            },
            go_on: { context, thread, results in
                guard let context, let thread, let results else { return CLUA_RAISE }
                return Unmanaged<LuaState>.fromOpaque(context).takeUnretainedValue().goOn(thread, results)
            },
            release: { context, slot in
                guard let context else { return }
                _ = Unmanaged<LuaState>.fromOpaque(context).takeUnretainedValue().slots.remove(slot)
            },
            exit: { context, status in
                guard let context else { return }
                let state = Unmanaged<LuaState>.fromOpaque(context).takeUnretainedValue()
                if state.owner?.pointee.closed == true { state.owner = nil }
                state.onExit?(status)
            },
            warn: nil,
            closed: { context in
                guard let context else { return }
                let state = Unmanaged<LuaState>.fromOpaque(context)
                state.takeUnretainedValue().onClose?()
                state.takeUnretainedValue().owner = nil
                state.takeUnretainedValue().current = nil
                state.takeUnretainedValue().forgetObjects()
                state.release()
            })
    }

    static let warn: @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?, Int) -> Void = {
        context, message, length in
        guard let context else { return }
        let text = String(decoding: UnsafeRawBufferPointer(start: message, count: length), as: UTF8.self)
        Unmanaged<LuaState>.fromOpaque(context).takeUnretainedValue().onWarning?(text)
    }

    func perform(
        _ thread: OpaquePointer, _ results: UnsafeMutablePointer<CLuaBuffer>, _ body: LuaFunction.Body
    ) -> CLuaOutcome {
        let outer = current
        current = thread
        defer { current = outer }
        let call = LuaCall(state: self, thread: thread, buffer: results)
        releaseReferences()
        do {
            try body(call)
            guard isParking else { return CLUA_RETURN }
            isParking = false
            return CLUA_PARK
        } catch {
            isParking = false
            if results.pointee.length > 0 { clua_buffer_dispose(results) }
            record(error as? LuaError ?? describeError?(error) ?? .message(String(describing: error)), in: results)
            return CLUA_RAISE
        }
    }

    private func record(_ error: LuaError, in results: UnsafeMutablePointer<CLuaBuffer>) {
        let writer = LuaWriter(state: self, buffer: results)
        switch error.raising {
        case .value:
            results.pointee.raise = UInt8(CLUA_RAISE_VALUE.rawValue)
            writer.write(error.value ?? .string(error.message))
        case .written(let written):
            results.pointee.raise = UInt8(CLUA_RAISE_VALUE.rawValue)
            writer.write(written.value)
        case .message:
            results.pointee.raise = UInt8(CLUA_RAISE_MESSAGE.rawValue)
            writer.write(error.message)
        case .argument(let number, let text):
            results.pointee.raise = UInt8(CLUA_RAISE_ARGUMENT.rawValue)
            results.pointee.argument = UInt32(number)
            writer.write(text)
        case .type(let number, let expected):
            results.pointee.raise = UInt8(CLUA_RAISE_TYPE.rawValue)
            results.pointee.argument = UInt32(number)
            writer.write(expected)
        }
    }
}
