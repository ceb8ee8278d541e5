import Testing

@Suite struct TimeoutTests {
    @Test func returnsWhatTheFunctionReturns() async {
        await script(
            #"""
            equal(select("#", vault.timeout(5, function(...) return ... end, nil, 1, nil)), 3)
            equal(vault.timeout(5, function() vault.put("f", "x") return vault.get "f" end), "x")
            local thread = coroutine.running()
            equal(vault.timeout(5, coroutine.running), thread)
            local err = {} equal(raises(vault.timeout, 5, error, err), err)
            equal(vault.timeout(0, function() return "no wait" end), "no wait")
            """#)
    }

    @Test func raisesTimeoutWhereItWaits() async {
        await script(
            #"""
            local function check(wrap)
              local err = fails("timeout", function() wrap(function() vault.timeout(0.005, vault.sleep, 1000) end) end)
              equal(err.operation, "sleep") assert(err.message:find "0%.005 s", err.message)
              wrap(function() vault.sleep(0) end)
              -- The inner limit, and then the outer one.
              local order = {}
              wrap(function()
                local ok, outer = pcall(vault.timeout, 0.2, function()
                  local _, inner = pcall(vault.timeout, 0.005, vault.sleep, 1000)
                  order[#order + 1] = inner.message
                  vault.sleep(1000)
                end)
                order[#order + 1] = outer.message
              end)
              -- On a machine that stands still for so long, both are over when the first wait is looked at.
              assert(order[1]:find "0%.005" or order[1]:find "0%.2", table.concat(order, ";"))
              assert(order[2]:find "0%.2", table.concat(order, ";"))
              -- Once: what cleans up may wait.
              local cleaned
              wrap(function()
                local ok, e = pcall(vault.timeout, 0.001, function()
                  local guard <close> = setmetatable({}, {__close = function() vault.put("c", "x") cleaned = vault.get "c" end})
                  vault.sleep(1000)
                end)
                equal(e.code, "timeout")
              end)
              equal(cleaned, "x")
              -- A function that catches it and returns has been in time.
              wrap(function() equal(vault.timeout(0.001, function() pcall(vault.sleep, 1000) return "late" end), "late") end)
            end
            check(function(f) f() end)
            check(function(f) vault.spawn(f):join() end)
            check(function(f) coroutine.wrap(f)() end)
            check(function(f) vault.spawn(coroutine.wrap(f)):join() end)
            """#)
    }

    @Test func isOutlivedByNoTaskOfIts() async {
        await script(
            #"""
            local child
            equal(vault.timeout(5, function() child = vault.spawn(vault.sleep, 1000) vault.sleep(0) return "over" end), "over")
            equal(child:status(), "cancelled")
            fails("timeout", function()
              vault.timeout(0.002, function() child = vault.spawn(vault.sleep, 1000) vault.sleep(1000) end)
            end)
            child:result() equal(child:status(), "cancelled")
            pcall(vault.timeout, 5, function() child = vault.spawn(vault.sleep, 1000) error "x" end)
            child:result() equal(child:status(), "cancelled")
            """#)
    }

    @Test func namesItsMisuse() async {
        await script(
            #"""
            misuse("bad argument #1 to 'timeout' (number expected, got nil)", function() vault.timeout() end)
            misuse("bad argument #1 to 'timeout' (number expected, got string)", function() vault.timeout("soon", print) end)
            equal(vault.timeout("10m", function() return "over" end), "over")
            fails("timeout", function() vault.timeout("0s", vault.sleep, 1000) end)
            misuse("bad argument #1 to 'timeout' (a time of 0 or more seconds expected)", function() vault.timeout(-1, print) end)
            misuse("bad argument #1 to 'timeout' (a time of 0 or more seconds expected)", function() vault.timeout(0/0, print) end)
            misuse("bad argument #2 to 'timeout' (function expected, got nil)", function() vault.timeout(1) end)
            """#)
    }
}
