import LuaEngine

/// The scopes that coroutines are in, by the coroutines that have entered them.
struct CoroutineScopes<Scope: AnyObject> {
    private var scopes: [LuaCoroutineID: [Scope]] = [:]

    mutating func enter(_ scope: Scope, _ coroutine: LuaCoroutineID) {
        scopes[coroutine, default: []].append(scope)
    }

    mutating func leave(_ scope: Scope, _ coroutine: LuaCoroutineID) {
        guard let index = scopes[coroutine]?.lastIndex(where: { $0 === scope }) else { return }
        scopes[coroutine]?.remove(at: index)
        if scopes[coroutine]?.isEmpty ?? false { scopes[coroutine] = nil }
    }

    /// The scopes that a call is in, the innermost last.
    func all(of call: borrowing LuaCall) -> [Scope] {
        scopes.isEmpty ? [] : call.chain.reversed().flatMap { scopes[$0] ?? [] }
    }

    func innermost(of call: borrowing LuaCall) -> Scope? {
        if scopes.isEmpty { return nil }
        for coroutine in call.chain { if let scope = scopes[coroutine]?.last { return scope } }
        return nil
    }
}
