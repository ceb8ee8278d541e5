import LuaEngine
import Synchronization
import Testing
import VaultModel

@testable import VaultLua
@testable import VaultStore

/// Refuses Lua's Nth request for memory, for every N, over a script that uses every binding of the module.
@Suite struct AllocationFailureTests {
    private static let script = #"""
        local e = vault.save(tmp .. "/f", "f", {tags = {k = "v"}, progress = function(p) return p.done >= 0 end})
        vault.read("f", tmp .. "/out", {overwrite = true})
        vault.put("p", ("x"):rep(500)) assert(#vault.get "p" == 500)
        assert(vault.stat("f").tags.k == "v" and not vault.stat "none" and vault.exists "f")
        for entry in vault.list("", {limit = 3}) do assert(entry.name) end
        local l <close> = vault.list() l:count() pcall(function() return l[1] end)
        assert(#vault.names("*"):all() > 0)
        do local w <close> = vault.open("w", "w") w:write("text 12 ", 5, "\nline\n"):close() end
        local lost = vault.open("lost", "w"):write(("y"):rep(1000))
        local r <close> = vault.open "w" r:seek("set", 5) assert(r:read "n" == 12)
        for line in r:lines() do assert(line) end
        vault.put("a/b", "1") pcall(vault.rename, "a/b", "a/c") pcall(vault.copy, "a/c", "a/d") pcall(vault.remove, "a")
        vault.history "f" vault.revert("f", 1) vault.tag("f", {k = "v"})
        local report = vault.push(tmp .. "/t", "t", {delete = true, exclude = {"*.no"}, on_error = print})
        vault.pull("t", tmp .. "/t2", {progress = function() end})
        for d in vault.compare(tmp .. "/t", "t") do error(d.name) end
        for f in vault.files(tmp .. "/t") do assert(f.path) end
        vault.keep("", {last = 1, daily = 2}) vault.verify("f", {sample = 1})
        local c <close> = vault.connect(tmp .. "/other")
        c:put("x", "y") assert(c:get "x" == "y") vault.with(c, function() assert(vault.get "x" == "y") end)
        local cr = c:open "x" assert(cr:read "a" == "y")
        vault.sleep(0) assert(#vault.digest(tmp .. "/f", "sha256") == 64)
        assert(vault.json.decode(vault.json.encode {a = {1, 2, {b = "c"}}, n = 1.5}).a[3].b == "c")
        vault.log.info("%s", "x") pcall(vault.on)
        local ok, err = pcall(vault.get, "none") assert(not ok) local text = tostring(err) .. err
        pcall(vault.save, nil) pcall(vault.put, "a//b", "") pcall(vault.json.decode, "[") pcall(vault.list, "", {x = 1})
        local co = coroutine.wrap(function() local h <close> = vault.open "w" coroutine.yield(h:read()) end) co()
        collectgarbage()
        kept = {vault.open "w", vault.list(), vault.connect(tmp .. "/other"), vault.open("k", "w"):write "z"}
        """#

    private static let taskScript = #"""
        vault.put("p", "x")
        local t = vault.spawn(function(...) return select("#", ...), vault.get "p", vault.sleep(0) end, 1, nil)
        assert(t:join() == 2 and t:result() and t:status() == "done" and t == t and tostring(t))
        local t2 = vault.spawn(function() for _ in coroutine.wrap(function() vault.sleep(9) end) do end end)
        local t3 = vault.spawn(function() vault.sleep(0) t2:cancel() end)
        assert(vault.wait_any {t2, t3} and not t2:result()) vault.wait_all {t3}
        assert(vault.map({"p", "none", "none"}, vault.stat, {concurrency = 2}).n == 3)
        pcall(vault.map, vault.list(), function(e) error(e) end, {on_error = function() return false end})
        assert(not pcall(vault.timeout, 0, vault.sleep, 9)) vault.timeout(9, vault.spawn, print)
        """#

    /// Whether the script completed.
    private static func completes(
        _ script: String, _ failure: LuaOptions.AllocationFailure, in path: String, _ vault: StoredVault,
        _ connected: WeakVaults
    ) -> Bool {
        var isComplete = false
        do {
            var options = LuaOptions()
            options.allocationFailure = failure
            let state = try LuaState(options)
            let session = ScriptSession(
                state,
                ScriptSession.Host(
                    open: { SharedVault(other: vault) },
                    connect: { (url) async throws(VaultError) in
                        let vault = try await StoredVault.open(LocalPath(url), access: .create)
                        connected.append(vault)
                        return vault
                    }, log: { _, _ in }, tell: { _ in }))
            do {
                try VaultLibrary.install(session)
                try state.setGlobal("tmp", path)
                try state.run(script, name: "=test")
                isComplete = state.allocationCount < failure.first
            } catch let error as LuaError {
                if state.allocationCount < failure.first { Issue.record("\(error)") }
            }
            session.scheduler.finish(isFailed: !isComplete)
            state.close()
            #expect(state.objectCount == 0)
            withExtendedLifetime(session) {}
        } catch {
            #expect(error is LuaError)
        }
        return isComplete
    }

    @Test(arguments: [script, taskScript], [2, UInt64.max])
    func endsInAnErrorOrAResultWhicheverRequestIsRefused(script: String, count: UInt64) async throws {
        let directory = TemporaryDirectory()
        await VaultLuaTests.script(
            #"write("f", noise(3000)) mkdir "t" write("t/1", "1") write("t/2", "2")"#, in: directory)
        let vault = try await StoredVault.open(LocalPath(directory.path + "/vault"), access: .create)
        let connected = WeakVaults()
        let path = directory.path
        let installed = try await LuaThread.run { () throws -> UInt64 in
            let state = try LuaState()
            let session = session(state, path)
            try VaultLibrary.install(session)
            return state.allocationCount
        }
        let last = try await LuaThread.run {
            // What opening a state and installing the module needs is refused with the first script only.
            var first: UInt64 = script == AllocationFailureTests.script ? 1 : installed
            while !AllocationFailureTests.completes(
                script, .init(first: first, count: count), in: path, vault, connected)
            { first += 1 }
            return first
        }
        #expect(last > installed + 300)
        try await expectSoon("open reads, uploads and connections end") {
            vault.reads.withLock { $0.isEmpty } && vault.uploads.withLock { $0.isEmpty } && connected.areGone
        }
        #expect(try await vault.verify(VerifyRequest()).isClean)
        await vault.close()
    }
}

/// A vault that outlives the sessions which use it.
private struct SharedVault: ForwardingVault {
    let other: any Vault

    func close() async {}
}

/// Vaults that were connected to, as long as somebody else keeps them.
private final class WeakVaults: Sendable {
    private struct Weak: Sendable {
        weak let vault: StoredVault?
    }

    private let vaults = Mutex<[Weak]>([])

    func append(_ vault: StoredVault) {
        vaults.withLock { $0.append(Weak(vault: vault)) }
    }

    var areGone: Bool {
        vaults.withLock { vaults in
            vaults.removeAll { $0.vault == nil }
            return vaults.isEmpty
        }
    }
}

/// Waits up to ten seconds for what other tasks bring about.
func expectSoon(_ what: Comment, _ condition: () -> Bool) async throws {
    for _ in 1...1000 {
        if condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record(what)
}
