import Testing

@Suite struct ConnectionsTests {
    @Test func actsOnTheVaultItIsFor() async {
        await script(
            #"""
            local other = vault.connect(tmp .. "/other")
            equal(other:put("f", "there").name, "f") equal(vault.stat "f", nil)
            vault.put("f", "here")
            equal(other:get "f", "there") equal(other:stat("f").version, 1) equal(other:list():count(), 1)
            local w = other:open("g", "w") w:write "G" w:close() equal(other:get "g", "G")
            equal(other:save(write("x", "X")).name, "x") equal(other:exists "x", true)
            equal(vault.list():count(), 1)
            local again = vault.connect(tmp .. "/other")
            equal(again:get "f", "there")
            misuse("bad argument #1 to 'put' (string expected, got no value)", function() other:put() end)
            misuse("bad argument #2 to 'put' (string expected, got no value)", function() other:put "a" end)
            misuse("bad argument #3 to 'put' (unknown option 'x')", function() other:put("a", "b", {x = 1}) end)
            misuse("bad argument #1 to 'put' (vault connection expected, got table)", function() other.put({}, "a") end)
            equal(fails("not_found", function() other:get "none" end).operation, "get")
            equal(other.connect, nil) equal(other.json, nil)
            assert(tostring(other):find "^vault connection")
            """#)
    }

    @Test func replicatesBetweenVaults() async {
        await script(
            #"""
            local other = vault.connect(tmp .. "/other")
            vault.put("p/f", noise(3 << 20), {tags = {k = "v"}}) vault.put("p/g", "x") vault.put("q", "y")
            local report = vault.replicate(vault, other, "p")
            equal(report.saved, 2) equal(other:get "p/f" == vault.get "p/f", true) equal(other:stat("p/f").tags.k, "v")
            equal(other:exists "q", false) equal(vault.replicate(vault, other, "p").saved, 0)
            other:put("r/s", "back") equal(vault.replicate(other, vault, "r").saved, 1) equal(vault.get "r/s", "back")
            fails("not_found", function() vault.replicate(vault, other, "none") end)
            misuse("bad argument #1 to 'replicate' (vault connection expected, got string)",
              function() vault.replicate("a", other, "p") end)
            """#)
    }

    @Test func canBeClosed() async {
        await script(
            #"""
            local other = vault.connect(tmp .. "/other")
            other:put("f", noise(3 << 20)) other:put("g", "x")
            local listing, reader = other:list(), other:open "f"
            local writer = other:open("w", "w"):write(noise(3 << 20, 9))
            other:close()
            misuse("attempt to use a closed vault connection", function() other:put("a", "b") end)
            misuse("attempt to use a closed vault connection", function() other:close() end)
            -- What was made from it fails or ends, and does not crash.
            pcall(function() listing:all() end)
            pcall(function() reader:read "a" end)
            pcall(function() reader:close() end)
            pcall(function() writer:write(noise(3 << 20, 10)) writer:close() end)
            do local third <close> = vault.connect(tmp .. "/other") equal(third:get "g", "x") end
            local fourth = vault.connect(tmp .. "/other")
            assert(fourth:get "f" == noise(3 << 20))
            vault.with(fourth, function() fourth:close() raises(function() vault.put("x", "y") end) end)
            vault.put("fine", "1")
            """#)
    }

    @Test func isTheDefaultWithin() async {
        await script(
            #"""
            local other = vault.connect(tmp .. "/other")
            local a, b, c = vault.with(other, function(...)
              vault.put("f", "there")
              vault.with(vault.connect(tmp .. "/third"), function() equal(vault.stat "f", nil) end)
              equal(vault.get "f", "there")
              return select("#", ...), nil, ...
            end, "x", nil)
            equal(a, 2) equal(b, nil) equal(c, "x") equal(vault.stat "f", nil)
            local err = raises(function() vault.with(other, function() error({}) end) end)
            equal(type(err), "table") equal(vault.stat "f", nil)
            equal(fails("not_found", function() vault.with(other, function() vault.get "none" end) end).operation, "get")
            misuse("bad argument #1 to 'with' (vault connection expected, got nil)", function() vault.with(nil) end)
            misuse("bad argument #2 to 'with' (function expected, got nil)", function() vault.with(other) end)
            misuse("bad argument #1 to 'connect' (string expected, got no value)", function() vault.connect() end)
            fails("not_found", function() vault.connect(write("file", "x") .. "/below") end)
            fails("invalid", function() mkdir "full" write("full/x", "") vault.connect(tmp .. "/full") end)
            fails("invalid", function() vault.connect "" end)
            do local odd <close> = vault.connect(tmp .. "/\xff‛") odd:put("f", "x") end
            equal(os.execute("test -d '" .. tmp .. "/\xff‛'"), true)
            fails("invalid", function() vault.connect(tmp .. "/a\0b") end)
            equal(vault.exec({"ls", tmp .. "/a"}).code, 2)
            """#)
    }

    @Test func goesWithTheLastReference() async {
        await script(
            #"""
            for n = 1, 20 do vault.connect(tmp .. "/other"):put("f" .. n, "x") end
            collectgarbage() collectgarbage()
            equal(vault.connect(tmp .. "/other"):list():count(), 20)
            """#)
    }
}
