import Testing

@Suite struct WriteHandleTests {
    @Test func savesWhatWasWrittenWhenItIsClosed() async {
        await script(
            #"""
            local f = vault.open("f", "w", {tags = {k = "v"}, if_version = 0})
            equal(f:write("a", 1, 2.5, "\0"):write():write "z", f)
            equal(vault.stat "f", nil)
            local entry = f:close()
            equal(entry.name, "f") equal(entry.version, 1) equal(entry.size, 7) equal(entry.tags.k, "v")
            equal(entry.created, true) equal(entry.kind, "file")
            equal(vault.get "f", "a12.5\0z")
            misuse("attempt to use a closed vault file", function() f:write "x" end)
            misuse("attempt to use a closed vault file", function() f:close() end)
            equal(vault.open("empty", "w"):close().size, 0) equal(vault.get "empty", "")
            local g = vault.open("f", "w", {if_version = 0})
            g:write "x"
            fails("exists", function() g:close() end)
            misuse("attempt to use a closed vault file", function() g:close() end)
            equal(vault.get "f", "a12.5\0z")
            """#)
    }

    @Test func writesThirtyMegabytesInSmallPieces() async {
        await script(
            #"""
            local piece = noise(3000, 5)
            local f = vault.open("big", "w")
            local count = 30000000 // 3000
            for n = 1, count do f:write(piece:sub(n % 2900 + 1), n) end
            local entry = f:close()
            local r <close> = vault.open "big"
            for n = 1, count do
              local expected = piece:sub(n % 2900 + 1) .. n
              if r:read(#expected) ~= expected then error("piece " .. n .. " differs") end
            end
            equal(r:read(1), nil)
            assert(entry.size > 15000000)
            """#)
    }

    @Test func savesNothingThatWasNotClosed() async {
        await script(
            #"""
            local small, large = "x", noise(3 << 20)
            for round = 1, 8 do
              for _, bytes in ipairs {small, large, large .. large .. large .. noise(1 << 20, round)} do
                local name = "f" .. round .. "-" .. #bytes
                do local f <close> = vault.open(name, "w") f:write(bytes) end
                raises(function() local f <close> = vault.open(name, "w") f:write(bytes) error "lost" end)
                raises(function() local f = vault.open(name, "w") f:write(bytes, {}) end)
                vault.open(name, "w"):write(bytes)
                collectgarbage()
                local co = coroutine.wrap(function()
                  local f <close> = vault.open(name, "w") f:write(bytes) coroutine.yield()
                end)
                co() co = nil collectgarbage()
              end
            end
            kept = vault.open("kept", "w"):write(large, large, large)
            equal(vault.list("", {versions = true}):count(), 0)
            """#)
    }

    @Test func savesNothingThatWasOpenWhenTheScriptEnded() async {
        let directory = TemporaryDirectory()
        for _ in 1...6 {
            await script(
                #"""
                kept = vault.open("kept", "w"):write(noise(3 << 20), noise(3 << 20, 2))
                small = vault.open("small", "w"):write "x"
                """#, in: directory)
            await script("equal(vault.list('', {versions = true}):count(), 0)", in: directory)
        }
    }

    @Test func cannotBeReadOrMisused() async {
        await script(
            #"""
            local f = vault.open("f", "w")
            equal(fails("invalid", function() f:read() end).operation, "read")
            equal(fails("invalid", function() f:lines() end).name, "f")
            fails("invalid", function() f:seek "set" end)
            misuse("bad argument #1 to 'write' (string expected, got nil)", function() f:write(nil) end)
            misuse("bad argument #2 to 'write' (string expected, got boolean)", function() f:write("a", true) end)
            equal(f:close().size, 0)
            fails("invalid", function() vault.open("a//b", "w") end)
            fails("invalid", function() vault.open("f", "w", {if_version = -1}) end)
            misuse("bad argument #3 to 'open' (field 'tags': table expected, got number)", function()
              vault.open("f", "w", {tags = 1})
            end)
            vault.put("dir/x", "1")
            local g = vault.open("dir", "w")
            local err = fails("exists", function() g:close() end)
            """#)
    }
}
