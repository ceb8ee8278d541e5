import Testing

@Suite struct ReadHandleTests {
    @Test func readsByTheFormatsOfIo() async {
        await script(
            #"""
            -- Every call is made on a file of the vault and on a local one, and must give the same.
            local function both(bytes, f)
              vault.put("f", bytes)
              local mine <close> = vault.open "f"
              local theirs <close> = assert(io.open(write("f", bytes), "rb"))
              local a, b = table.pack(f(mine)), table.pack(f(theirs))
              equal(a.n, b.n, "number of results")
              for n = 1, a.n do
                equal(a[n], b[n], ("result %d for %q"):format(n, bytes:sub(1, 20)))
                equal(math.type(a[n]), math.type(b[n]))
              end
            end
            local texts = {"", "\n", "a", "a\n", "one\ntwo\n\nthree", "\0\n\0", ("x"):rep(3000) .. "\n" .. ("y"):rep(70)}
            local formats = {"l", "L", "a", "*l", "*L", "*a", "*line", "*all", "line", 0, 1, 5, 100000, 2.0}
            for _, text in ipairs(texts) do
              both(text, function(f) return f:read() end)
              for _, one in ipairs(formats) do
                both(text, function(f) return f:read(one) end)
                both(text, function(f) return f:read(one), f:read(one), f:read(one) end)
                for _, two in ipairs(formats) do both(text, function(f) return f:read(one, two, one) end) end
              end
              both(text, function(f)
                local all = {}
                for line in f:lines() do all[#all + 1] = line end
                for line in f:lines "L" do all[#all + 1] = line end
                return table.unpack(all)
              end)
              both(text, function(f)
                local all = {}
                for a, b in f:lines(1, "l") do all[#all + 1] = a all[#all + 1] = b or "none" end
                return table.unpack(all)
              end)
            end
            for _, text in ipairs {
              "12", " 12 34.5 rest", "-0x1F,", "0x.8p3 x", "1e5e5", "abc", "", "  ", "+7", "..5", "1" .. ("0"):rep(300),
              ("9"):rep(20), "0x" .. ("f"):rep(20), "nan", "1e", "1_000", "\n\n\t 8\n9",
            } do
              both(text, function(f) return f:read "n" end)
              both(text, function(f) return f:read("n", "n", "l") end)
              both(text, function(f) return f:read "*number", f:read "a" end)
              both(text, function(f) return f:read "n", f:seek() end)
            end
            """#)
    }

    @Test func seeksAsIoDoes() async {
        await script(
            #"""
            vault.put("f", "0123456789")
            local f <close> = vault.open("f", "r")
            equal(f:seek(), 0) equal(f:read(3), "012") equal(f:seek(), 3) equal(f:seek "cur", 3)
            equal(f:seek "end", 10) equal(f:read(1), nil) equal(f:read(0), nil) equal(f:read "a", "")
            equal(f:seek "set", 0) equal(f:seek("end", -2), 8) equal(f:read "a", "89")
            equal(f:seek("set", 100), 100) equal(f:read(1), nil) equal(f:read "l", nil) equal(f:seek("cur", -95), 5)
            equal(f:read(2), "56")
            local err = fails("invalid", function() f:seek("set", -1) end)
            equal(err.operation, "seek") equal(f:seek(), 7)
            fails("invalid", function() f:seek("cur", math.mininteger) end)
            fails("invalid", function() f:seek("end", math.maxinteger) end)
            misuse("bad argument #1 to 'seek' (invalid option 'begin')", function() f:seek "begin" end)
            misuse("bad argument #2 to 'seek' (number expected, got string)", function() f:seek("set", "x") end)
            """#)
    }

    @Test func crossesTheBordersOfChunks() async {
        await script(
            #"""
            local bytes = noise(9 << 20)
            vault.put("big", bytes)
            local f <close> = vault.open "big"
            local position = 0
            for _, count in ipairs {1, 1000, 1 << 20, 3 << 20, 7, 2 << 20, 9 << 20} do
              assert(f:read(count) == bytes:sub(position + 1, position + count), "differs at " .. position)
              position = math.min(position + count, #bytes)
            end
            equal(f:read(1), nil)
            math.randomseed(7)
            for _ = 1, 60 do
              local at, count = math.random(0, #bytes), math.random(0, 200000)
              f:seek("set", at)
              local expected = bytes:sub(at + 1, at + count)
              local got = f:read(count)
              assert(got == expected or at == #bytes and got == nil, "differs at " .. at)
            end
            local at = 0
            f:seek "set"
            for line in f:lines "L" do
              assert(line == bytes:sub(at + 1, at + #line), "line differs at " .. at)
              at = at + #line
            end
            equal(at, #bytes)
            """#)
    }

    /// What used to take time in proportion to the square of a chunk's length.
    @Test func readsSmallPiecesOfALargeFile() async {
        await script(
            #"""
            local lines = {}
            for n = 1, 200000 do lines[n] = "this is line " .. n end
            local text = table.concat(lines, "\n")
            vault.put("lines", text)
            local f <close> = vault.open "lines"
            local n = 0
            for line in f:lines() do n = n + 1 if line ~= lines[n] then error("line " .. n .. " differs") end end
            equal(n, #lines)
            f:seek("set", 0)
            for n = 1, 100000 do if f:read(1):byte() ~= text:byte(n) then error("byte " .. n .. " differs") end end
            """#)
    }

    @Test func readsTheVersionThatWasOpened() async {
        await script(
            #"""
            vault.put("f", "one") vault.put("f", "two")
            local old, now = vault.open("f", "r", {version = 1}), vault.open("f", nil, {at = os.time() + 5})
            vault.put("f", "three") vault.remove "f" vault.keep("", {last = 1}) vault.gc()
            equal(old:read "a", "one") equal(now:read "a", "two")
            equal(old:close(), true) now:close()
            local lines = old.lines
            fails("not_found", function() vault.open "f" end)
            """#)
    }

    @Test func wordsMisuseAsIoDoes() async {
        await script(
            #"""
            vault.put("f", "x\ny")
            local f = vault.open "f"
            misuse("bad argument #1 to 'read' (invalid format)", function() f:read "x" end)
            misuse("bad argument #2 to 'read' (invalid format)", function() f:read(0, "x") end)
            misuse("bad argument #1 to 'read' (invalid format)", function() f:read "" end)
            misuse("bad argument #1 to 'read' (string expected, got table)", function() f:read {} end)
            misuse("bad argument #1 to 'read' (string expected, got nil)", function() f:read(nil) end)
            misuse("bad argument #1 to 'read' (number has no integer representation)", function() f:read(1.5) end)
            equal(fails("invalid", function() f:write "x" end).operation, "write")
            misuse("bad argument #2 to 'open' (invalid mode 'rb')", function() vault.open("f", "rb") end)
            misuse("bad argument #3 to 'open' (unknown option 'tag')", function() vault.open("f", "r", {tag = 1}) end)
            misuse("bad argument #3 to 'open' (unknown option 'tags')", function() vault.open("f", "r", {tags = {}}) end)
            misuse("bad argument #3 to 'open' (unknown option 'version')", function()
              vault.open("f", "w", {version = 1})
            end)
            equal(fails("not_found", function() vault.open "none" end).name, "none")
            local lines = f:lines()
            equal(lines(), "x")
            f:close()
            misuse("attempt to use a closed vault file", function() f:read() end)
            misuse("attempt to use a closed vault file", function() f:close() end)
            misuse("file is already closed", function() lines() end)
            local read = vault.open("f").read
            misuse("bad argument #1 to 'read' (vault file expected, got table)", function() read {} end)
            assert(tostring(f):find "^vault file")
            """#)
    }
}
