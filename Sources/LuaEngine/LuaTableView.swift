import CLua

/// A table on the stack of a running callback, read without metamethods.
///
/// Valid as long as the view that it came from. What `field` and `element` return stays on the stack until the callback
/// returns or the enclosing iteration goes on, so walk large tables with `forEach` and `forEachElement`.
package struct LuaTableView {
  package let view: LuaView

  private var L: OpaquePointer { view.L }

  /// The border that `#` gives (Lua 5.4 manual §3.4.7), without `__len`.
  package var count: Int {
    Int(clua_raw_length(L, view.index))
  }

  /// The value under a string key; a missing one is nil.
  package func field(_ key: String) throws(LuaError) -> LuaView {
    var key = key
    let isRead = key.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) { clua_raw_get_field(L, view.index, $0.baseAddress, $0.count) }
    }
    guard isRead else { throw .outOfMemory }
    return top(path: view.subject.path.isEmpty ? key : "\(view.subject.path).\(key)")
  }

  /// The value at a position, from 1 on; a missing one is nil.
  package func element(_ position: Int) throws(LuaError) -> LuaView {
    guard clua_check_stack(L, 1) else { throw .outOfMemory }
    clua_raw_get_index(L, view.index, Int64(position))
    return top(path: "\(view.subject.path)[\(position)]")
  }

  /// Visits every pair, in no order. A key that `body` removes through Lua code may end the walk with an error.
  package func forEach(_ body: (_ key: LuaView, _ value: LuaView) throws -> Void) throws {
    guard clua_check_stack(L, 4) else { throw LuaError.outOfMemory }
    let bottom = clua_top(L)
    defer { clua_set_top(L, bottom) }
    clua_push_nil(L)
    let path = view.subject.path + "[]"
    while true {
      switch clua_next(L, view.index) {
      case 0: return
      case 1: break
      default: throw LuaError.message("the table changed while it was read")
      }
      let key = LuaView(state: view.state, L: L, index: bottom + 1, subject: subject(path: path))
      let value = LuaView(state: view.state, L: L, index: bottom + 2, subject: subject(path: path))
      try body(key, value)
      clua_set_top(L, bottom + 1)
    }
  }

  /// Visits the elements 1, 2, ... up to `count`.
  package func forEachElement(_ body: (LuaView) throws -> Void) throws {
    let bottom = clua_top(L)
    defer { clua_set_top(L, bottom) }
    for position in 1...max(1, count) where position <= count {
      let element = try element(position)
      try body(element)
      clua_set_top(L, bottom)
    }
  }

  /// The elements of an array of strings.
  package func strings() throws -> [String] {
    var result: [String] = []
    try forEachElement { result.append(try $0.string()) }
    return result
  }

  /// Throws for the first key that is not among `names`: a misspelt option must not be overlooked.
  package func allowOnly(_ names: Set<String>) throws {
    try forEach { key, _ in
      guard key.type == .string else { throw view.problem("option names are strings, got a \(key.typeName)") }
      let name = try key.withBytes { String(decoding: $0, as: UTF8.self) }
      guard names.contains(name) else { throw view.problem("unknown option '\(name)'") }
    }
  }

  private func subject(path: String) -> LuaView.Subject {
    LuaView.Subject(argument: view.subject.argument, path: path)
  }

  private func top(path: String) -> LuaView {
    LuaView(state: view.state, L: L, index: clua_top(L), subject: subject(path: path))
  }
}
