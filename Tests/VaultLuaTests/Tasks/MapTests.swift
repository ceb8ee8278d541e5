import Testing

@Suite struct MapTests {
    @Test func keepsTheOrderAndBoundsWhatRuns() async {
        await script(
            #"""
            local running, most = 0, 0
            local function f(n)
              running = running + 1 most = math.max(most, running)
              vault.sleep(0.001 * (n % 3)) running = running - 1
              return n * n, "second"
            end
            local list = {} for n = 1, 50 do list[n] = n end
            local results = vault.map(list, f, {concurrency = 5})
            equal(results.n, 50) for n = 1, 50 do equal(results[n], n * n) end
            equal(most, 5)
            most = 0 vault.map(list, f) equal(most, 8)
            most = 0 vault.map(list, f, {concurrency = 1}) equal(most, 1)
            equal(vault.map({}, f).n, 0) equal(vault.map(list, function() end).n, 50)
            """#)
    }

    @Test func takesIterators() async {
        await script(
            #"""
            for n = 1, 30 do vault.put("f" .. n, tostring(n)) end
            local sizes = vault.map(vault.list(), function(e) return vault.get(e.name) end)
            equal(sizes.n, 30) equal(sizes[1], "1") equal(sizes[2], "10")
            local pairs_of = vault.map(("a=1 b=2"):gmatch "(%w)=(%w)", function(k, v) return k .. v end)
            equal(table.concat(pairs_of, ","), "a1,b2")
            -- Nothing but the element is passed on.
            equal(vault.map({"f1"}, vault.get)[1], "1")
            local callable = setmetatable({}, {__call = function(self) self.n = (self.n or 0) + 1 return self.n < 4 and self.n or nil end})
            equal(vault.map(callable, setmetatable({}, {__call = function(_, n) return -n end})).n, 3)
            """#)
    }

    @Test func raisesTheFirstFailureAndCancelsTheRest() async {
        let log = LogLines()
        await script(
            #"""
            local begun, cancelled = 0, 0
            local function f(n)
              begun = begun + 1
              if n == 3 then vault.sleep(0.002) error({n}) end
              local ok, err = pcall(vault.sleep, 1000) cancelled = cancelled + 1 error(err)
            end
            local list = {} for n = 1, 100 do list[n] = n end
            equal(raises(vault.map, list, f, {concurrency = 4})[1], 3)
            equal(begun, 4) equal(cancelled, 3)
            -- One after another, and with the error of the iterator.
            begun = 0
            equal(raises(vault.map, list, function(n) begun = begun + 1 error(n) end, {concurrency = 1}), 1) equal(begun, 1)
            local count = 0
            local function broken() count = count + 1 if count == 3 then error "broken" end return count end
            assert(raises(vault.map, broken, function() vault.sleep(1000) end):find "broken")
            """#, log: log)
        #expect(log.all == [])
    }

    @Test func goesOnWhereFailuresAreAccepted() async {
        await script(
            #"""
            local seen = {}
            local results = vault.map({"a", "b", "c"}, function(x) if x == "b" then vault.get "none" end return x end, {
              on_error = function(x, err) seen[#seen + 1] = x .. " " .. err.code vault.sleep(0) return true end})
            equal(results.n, 3) equal(results[1], "a") equal(results[2], nil) equal(results[3], "c")
            equal(table.concat(seen, ","), "b not_found")
            equal(raises(vault.map, {1}, error, {on_error = function() return false end}), 1)
            equal(raises(vault.map, {1}, error, {on_error = function() error {2} end})[1], 2)
            """#)
    }

    @Test func namesItsMisuse() async {
        await script(
            #"""
            misuse("bad argument #1 to 'map' (table or function expected, got nil)", function() vault.map() end)
            misuse("bad argument #1 to 'map' (table or function expected, got number)", function() vault.map(1, print) end)
            misuse("bad argument #2 to 'map' (function expected, got nil)", function() vault.map {} end)
            misuse("bad argument #3 to 'map' (table expected, got number)", function() vault.map({}, print, 1) end)
            misuse("bad argument #3 to 'map' (unknown option 'x')", function() vault.map({}, print, {x = 1}) end)
            for _, n in ipairs {0, -1, 1.5, "x"} do
              misuse("bad argument #3 to 'map' (field 'concurrency': a number of tasks expected)",
                function() vault.map({}, print, {concurrency = n}) end)
            end
            misuse("bad argument #3 to 'map' (field 'on_error': function expected, got boolean)",
              function() vault.map({}, print, {on_error = true}) end)
            """#)
    }
}
