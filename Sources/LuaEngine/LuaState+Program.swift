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
    guard let owner, let L = current else {
      throw LuaError(code: .runtime, message: "the Lua state is closed", raising: .message)
    }
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
          owner, L, &program,
          { context, L in
            guard let context, let L else { return }
            context.assumingMemoryBound(to: Consumption.self).pointee.body(L)
          }, consumption, &failure)
      }
    }
    if status != CLUA_STATUS_OK { throw error(status, failure, L) }
  }

  /// Executes a program for all the values that it leaves.
  func values(_ write: (LuaWriter) -> Void) throws(LuaError) -> [LuaValue] {
    var values: [LuaValue] = []
    var problem: LuaError?
    try execute(write) { L in
      let count = Int(clua_top(L))
      values.reserveCapacity(count)
      do throws(LuaError) {
        for index in 1...max(1, count) where index <= count {
          values.append(try self.view(L, Int32(index)).value())
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
    try execute(write) { L in
      reference = try? self.view(L, 1).reference()
    }
    guard let reference else { throw .outOfMemory }
    return reference
  }

  func view(_ L: OpaquePointer, _ index: Int32) -> LuaView {
    LuaView(state: self, L: L, index: index, subject: LuaView.Subject(argument: 0, path: ""))
  }

  /// Describes a failed program, and takes its error value off the stack.
  private func error(_ status: CLuaStatus, _ failure: CLuaFailure, _ L: OpaquePointer) -> LuaError {
    let code: LuaError.Code =
      switch status {
      case CLUA_STATUS_SYNTAX: .syntax
      case CLUA_STATUS_MEMORY: .memory
      case CLUA_STATUS_HANDLER: .handler
      case CLUA_STATUS_FILE: .file
      default: .runtime
      }
    guard failure.has_value else { return .outOfMemory }
    let top = clua_top(L)
    let value = try? view(L, top).value()
    clua_set_top(L, top - 1)
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
