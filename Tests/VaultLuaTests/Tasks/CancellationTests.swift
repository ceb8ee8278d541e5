import Synchronization
import Testing
import VaultModel

/// Serialized: they count the calls that wait in all stalling vaults.
@Suite(.serialized) struct CancellationTests {
    private static let start = #"""
        vault.put("f", "content") vault.put("large", noise(3 << 20))
        local path, large, dir = write("local", "x"), write("big", noise(3 << 20, 2)), mkdir "tree"
        write("tree/a", "a")
        local function stalling(calls) return vault.connect("stalling " .. calls .. " " .. tmp .. "/vault") end
        """#

    @Test func reachesEveryWaitOfEveryBinding() async throws {
        let directory = TemporaryDirectory()
        await script(
            CancellationTests.start + #"""

                local all, transfers, ends = stalling "all", stalling "layout,fetch,put,offer", stalling "commit"
                local function consume(iterator) for _ in iterator do end end
                local waits = {
                  save = function() all:save(path) end, ["save large"] = function() all:save(large) end,
                  ["save chunks"] = function() transfers:save(large) end, ["save commit"] = function() ends:save(large) end,
                  read = function() all:read("f", tmp .. "/out") end, ["read large"] = function() transfers:read("large", tmp .. "/out") end,
                  put = function() all:put("g", "x") end, ["put large"] = function() ends:put("g", ("z"):rep(1 << 20)) end,
                  get = function() all:get "f" end, ["get large"] = function() transfers:get "large" end,
                  stat = function() all:stat "f" end, exists = function() all:exists "f" end,
                  list = function() consume(all:list()) end, ["list all"] = function() all:list():all() end,
                  ["list count"] = function() all:list():count() end, names = function() consume(all:names "*") end,
                  open = function() all:open "f" end, ["file read"] = function() transfers:open("large"):read "a" end,
                  ["file lines"] = function() for _ in transfers:open("large"):lines() do end end,
                  ["file number"] = function() transfers:open("f"):read "n" end,
                  ["file write"] = function() transfers:open("w", "w"):write(("x"):rep(100 << 20)) end,
                  ["file close"] = function() all:open("w", "w"):write("x"):close() end,
                  ["file commit"] = function() ends:open("w", "w"):write(("y"):rep(9 << 20)):close() end,
                  remove = function() all:remove "f" end, rename = function() all:rename("f", "g") end,
                  copy = function() all:copy("f", "g") end, history = function() all:history "f" end,
                  revert = function() all:revert("f", 1) end, tag = function() all:tag("f", {k = "v"}) end,
                  push = function() all:push(dir, "t") end, pull = function() all:pull("f", tmp .. "/pulled") end,
                  ["replicate from"] = function() vault.replicate(all, vault, "f") end,
                  ["replicate to"] = function() vault.replicate(vault, all, "f") end,
                  compare = function() consume(all:compare(dir, "t")) end,
                  verify = function() all:verify() end, keep = function() all:keep("", {last = 1}) end, gc = function() all:gc() end,
                  connect = function() stalling "connect" end, sleep = function() vault.sleep(1000) end,
                  exec = function() vault.exec {"sleep", "1000"} end,
                  timeout = function() vault.timeout(1000, vault.sleep, 1000) end,
                  map = function() vault.map({1, 2}, function() vault.sleep(1000) end) end,
                  join = function() vault.spawn(vault.sleep, 1000):join() end,
                  wait_all = function() vault.wait_all {vault.spawn(vault.sleep, 1000)} end,
                  wait_any = function() vault.wait_any {vault.spawn(vault.sleep, 1000), vault.spawn(vault.sleep, 1000)} end,
                  with = function() vault.with(all, vault.get, "f") end,
                }
                local tasks = {}
                for name, f in pairs(waits) do tasks[name] = vault.spawn(f) end
                vault.sleep(0.3)
                for name, task in pairs(tasks) do equal(task:status(), "waiting", name) end
                for _, task in pairs(tasks) do task:cancel() end
                for name, task in pairs(tasks) do
                  local ok, err = task:result()
                  assert(not ok and type(err) == "table" and err.code == "cancelled", name .. ": " .. tostring(err))
                  equal(task:status(), "cancelled", name)
                end
                -- And within a coroutine of the task's, where an error handler and <close> see it.
                for name, f in pairs(waits) do
                  local seen, closed
                  local task = vault.spawn(function()
                    for _ in coroutine.wrap(function()
                      local guard <close> = setmetatable({}, {__close = function(_, err) closed = err.code vault.exists "f" end})
                      local ok, err = pcall(f) seen = err.code
                      error(err)
                    end) do end
                  end)
                  vault.sleep(0.01) task:cancel() task:result()
                  equal(seen, "cancelled", name) equal(closed, "cancelled", name)
                end
                assert(not io.open(tmp .. "/out"))
                """#, in: directory)
        try await expectSoon("no call waits any more") { StallingVault.waiting.load(ordering: .relaxed) == 0 }
        await script(
            #"""
            local names = {} for e in vault.list("", {versions = true}) do names[#names + 1] = e.name end
            equal(table.concat(names, " "), "f large") assert(vault.verify().clean)
            """#, in: directory)
    }

    @Test func letsTasksEndWhoseConnectionIsClosed() async {
        await script(
            CancellationTests.start + #"""

                local c = vault.connect(tmp .. "/vault")
                local file, listing = c:open "large", c:list()
                local tasks = {}
                for n = 1, 20 do
                  tasks[n] = vault.spawn(function()
                    for m = 1, 200 do c:put(n .. "/" .. m, noise(1000, m)) c:get(n .. "/" .. m) c:save(large, "large" .. n) end
                  end)
                end
                vault.sleep(0.05) c:close()
                for _, task in ipairs(tasks) do
                  local ok, err = task:result()
                  -- In the middle of a call, or before the next one.
                  local is_known = type(err) == "string" and err:find "attempt to use a closed vault connection"
                    or err.code == "unavailable" or err.code == "invalid"
                  assert(not ok and is_known, tostring(err))
                end
                raises(function() c:get "f" end) raises(file.read, file, "a") raises(listing)
                equal(vault.get "f", "content") assert(vault.verify().clean)
                """#)
    }

    @Test func raisesWhatAProgressFunctionRaises() async {
        await script(
            CancellationTests.start + #"""

                local all = stalling "put,fetch,layout"
                local mine = {}
                for _, f in ipairs {
                  function(o) all:save(large, "g", o) end, function(o) all:read("large", tmp .. "/out", o) end,
                  function(o) all:push(tmp, "t", {progress = o.progress, include = {"big"}}) end,
                } do
                  local told = vault.spawn(f, {progress = function() error(mine) end})
                  local refused = vault.spawn(f, {progress = function() return false end})
                  local waited = vault.spawn(f, {progress = function() vault.exists "f" end})
                  local spawned
                  local other = vault.spawn(f, {progress = function() spawned = spawned or vault.spawn(vault.get, "f") end})
                  equal(select(2, told:result()), mine) equal(select(2, refused:result()).code, "cancelled")
                  assert(tostring(select(2, waited:result())):find "cannot wait for the vault")
                  equal(spawned:join(), "content") other:cancel() equal(select(2, other:result()).code, "cancelled")
                end
                equal(vault.list():count(), 2) assert(not io.open(tmp .. "/out"))
                """#)
    }

    @Test func saysWhereASaveMayHaveTakenEffect() async {
        await script(
            CancellationTests.start + #"""

                local all = stalling "save"
                local err = fails("timeout", function() vault.timeout(1, function() all:put("g", "x") end) end)
                equal(err.uncertain, true) equal(err.name, "g") equal(err.operation, "put")
                local task = vault.spawn(function() all:put("g", "x") end) vault.sleep(1) task:cancel()
                equal(select(2, task:result()).uncertain, true)
                """#)
    }
}
