import Testing

@Suite struct ErrorValueTests {
    @Test func tellsWhatFailedWhereAndWhy() async {
        await script(
            #"""
            local function inner() vault.get "none" end
            local err = raises(function() inner() end)
            equal(err.code, "not_found") equal(err.operation, "get") equal(err.name, "none") equal(err.path, nil)
            equal(err.retryable, false) equal(err.uncertain, false) equal(err.report, nil) equal(type(err.message), "string")
            assert(err.traceback:find "^stack traceback:\n" and err.traceback:find "test:1:", err.traceback)
            assert(err.traceback:find "test:2:", err.traceback)
            equal(tostring(err), err.message) equal("x: " .. err, "x: " .. err.message) equal(err .. 1, err.message .. "1")
            equal(err .. err, err.message .. err.message)
            local missing = raises(vault.save, tmp .. "/missing")
            equal(missing.path, tmp .. "/missing") equal(missing.operation, "save")
            assert(missing.message:find "No such file")
            """#)
    }

    @Test func passesThroughScriptsUnchanged() async {
        await script(
            #"""
            local err = raises(vault.get, "none")
            equal(raises(error, err), err)
            equal(raises(function() local x <close> = setmetatable({}, {__close = function(_, e) seen = e end}) error(err) end), err)
            equal(seen, err)
            local co = coroutine.create(function() vault.get "none" end)
            local ok, inner = coroutine.resume(co)
            equal(ok, false) equal(inner.code, "not_found")
            local ok, handled = xpcall(vault.get, function(e) return {e} end, "none")
            equal(handled[1].code, "not_found")
            local wrapped = coroutine.wrap(function() vault.get "none" end)
            equal(raises(wrapped).code, "not_found")
            -- Whatever a script makes of the fields, the text must not raise.
            err.message = nil equal(tostring(err), "(vault error)")
            err.message = setmetatable({}, {__tostring = error}) equal(tostring(err), "(vault error)")
            setmetatable(err, nil)
            """#)
    }

    @Test func survivesScriptsThatChangeTheStandardLibrary() async {
        await script(
            #"""
            local pcall, assert, type = pcall, assert, type
            debug.traceback = nil string.format = nil
            getmetatable("").__index = nil
            tostring, tonumber = nil, nil
            debug.getregistry()["vault.error"].__tostring = nil
            local ok, err = pcall(vault.get, "none")
            assert(not ok and err.code == "not_found" and err.traceback)
            vault.put("f", "12") local f = vault.open "f" assert(f:read "n" == 12)
            vault.log.info("%d", 5)
            debug.getregistry()["vault.error"] = nil
            ok, err = pcall(vault.get, "none")
            assert(not ok)
            """#)
    }

    @Test func namesEveryKindOfFailure() async {
        let failure = await scriptFailure(#"vault.get "none""#)
        #expect(failure?.hasPrefix("The vault holds nothing under 'none'.") == true)
        let text = await scriptFailure(#"vault.save(nil)"#)
        #expect(
            text?.hasPrefix("test:1: bad argument #1 to 'save' (string expected, got nil)\nstack traceback:") == true)
    }
}
