import Testing

@Suite struct FilesTests {
    @Test func savesAndReadsAFile() async {
        await script(
            #"""
            local path = write("a.txt", "hello\n")
            local entry = vault.save(path)
            equal(entry.name, "a.txt") equal(entry.kind, "file") equal(entry.size, 6) equal(entry.version, 1)
            equal(entry.created, true) equal(entry.new_bytes, 6) equal(entry.saved_by, "tester")
            equal(math.type(entry.sequence), "integer") equal(math.type(entry.mode), "integer")
            equal(#entry.digest, 64) equal(next(entry.tags), nil)
            assert(math.abs(entry.saved_at - os.time()) < 60 and math.abs(entry.modified_at - os.time()) < 60)
            local again = vault.save(path)
            equal(again.version, 1) equal(again.created, false) equal(again.new_bytes, 0)
            equal(vault.save(path, "dir/b.txt").name, "dir/b.txt")
            equal(vault.save(path, "dir/", nil).name, "dir/a.txt")
            equal(vault.save(path, "/").name, "a.txt")
            local got = vault.read("dir/b.txt", tmp .. "/copy")
            equal(got.name, "dir/b.txt") equal(got.size, 6) equal(got.created, nil) equal(slurp "copy", "hello\n")
            mkdir "into"
            vault.read("dir/b.txt", tmp .. "/into/") equal(slurp "into/b.txt", "hello\n")
            """#)
    }

    @Test func takesTheOptionsOfSaveAndRead() async {
        await script(
            #"""
            local path = write("a", "one")
            local first = vault.save(path, "a", {tags = {k = "v", n = 5}, if_version = 0})
            equal(first.tags.k, "v") equal(first.tags.n, "5")
            local err = fails("exists", function() vault.save(path, "a", {if_version = 0}) end)
            fails("conflict", function() vault.save(path, "a", {if_version = 7}) end)
            equal(err.name, "a") equal(err.operation, "save")
            write("a", "two")
            equal(vault.save(path, "a", {if_version = 1}).version, 2)
            vault.read("a", tmp .. "/old", {version = 1}) equal(slurp "old", "one")
            vault.read("a", tmp .. "/old", {at = os.time() + 1}) equal(slurp "old", "two")
            fails("exists", function() vault.read("a", tmp .. "/old", {overwrite = false}) end)
            equal(slurp "old", "two")
            fails("invalid", function() vault.read("a", tmp .. "/x", {version = 1, at = 5}) end)
            fails("not_found", function() vault.read("a", tmp .. "/x", {version = 9}) end)
            fails("not_found", function() vault.read("a", tmp .. "/x", {at = 5}) end)
            assert(not io.open(tmp .. "/x"))
            """#)
    }

    @Test func wordsMisuseAsTheStandardLibraryDoes() async {
        await script(
            #"""
            local path = write("a", "x")
            misuse("bad argument #1 to 'save' (string expected, got nil)", function() vault.save(nil) end)
            misuse("bad argument #1 to 'save' (string expected, got no value)", function() vault.save() end)
            misuse("bad argument #2 to 'save' (string expected, got table)", function() vault.save(path, {}) end)
            misuse("bad argument #3 to 'save' (table expected, got string)", function() vault.save(path, "a", "b") end)
            misuse("bad argument #3 to 'save' (unknown option 'tgas')", function()
              vault.save(path, "a", {tgas = {}})
            end)
            misuse("bad argument #3 to 'save' (option names are strings, got a number)", function()
              vault.save(path, "a", {"x"})
            end)
            misuse("bad argument #3 to 'save' (field 'tags': table expected, got string)", function()
              vault.save(path, "a", {tags = "x"})
            end)
            misuse("bad argument #3 to 'save' (field 'if_version': number expected, got string)", function()
              vault.save(path, "a", {if_version = "x"})
            end)
            misuse("bad argument #3 to 'save' (field 'if_version': number has no integer representation)", function()
              vault.save(path, "a", {if_version = 1.5})
            end)
            misuse("bad argument #3 to 'save' (field 'progress': function expected, got number)", function()
              vault.save(path, "a", {progress = 1})
            end)
            misuse("bad argument #2 to 'read' (a path is expected; vault.get(name) returns the content)", function()
              vault.read("a")
            end)
            misuse("bad argument #3 to 'read' (field 'overwrite': boolean expected, got number)", function()
              vault.read("a", path, {overwrite = 1})
            end)
            misuse("bad argument #2 to 'put' (string expected, got no value)", function() vault.put("a") end)
            misuse("bad argument #2 to 'put' (string expected, got table)", function() vault.put("a", {}) end)
            misuse("bad argument #1 to 'get' (string expected, got boolean)", function() vault.get(true) end)
            misuse("bad argument #2 to 'get' (unknown option 'if_version')", function()
              vault.get("a", {if_version = 1})
            end)
            misuse("bad argument #1 to 'stat' (string expected, got no value)", function() vault.stat() end)
            misuse("bad argument #1 to 'exists' (string expected, got table)", function() vault.exists {} end)
            equal(raises(vault.save), "bad argument #1 to 'vault.save' (string expected, got no value)")
            for _, name in ipairs {"", "/a", "a//b", "../x", ".", "a/../b", "a\0b", "\xff", ("x"):rep(256)} do
              local err = fails("invalid", function() vault.put(name, "x") end)
              assert(err.message:find("is not a name", 1, true), err.message)
              fails("invalid", function() vault.stat(name) end)
            end
            fails("invalid", function() vault.save("", "a") end)
            fails("invalid", function() vault.save("a\0b", "a") end)
            fails("invalid", function() vault.save(path, "a", {if_version = -1}) end)
            fails("invalid", function() vault.save(tmp, "a") end)
            equal(fails("not_found", function() vault.save(tmp .. "/missing") end).path, tmp .. "/missing")
            """#)
    }

    @Test func keepsAnyBytesOfAnyLength() async {
        await script(
            #"""
            local function whole(bytes)
              local entry = vault.put("x", bytes)
              equal(entry.size, #bytes)
              assert(vault.get "x" == bytes, "content of " .. #bytes .. " bytes differs")
            end
            whole "" whole "\0" whole "a\0b\r\n\xff\xfe" whole(("\0"):rep(1000000)) whole(noise(10 << 20))
            equal(vault.put("n", 42).size, 2) equal(vault.get "n", "42") vault.put("f", 1.5) equal(vault.get "f", "1.5")
            equal(vault.get("x", {version = 2}), "\0")
            fails("not_found", function() vault.get "missing" end)
            """#)
    }

    @Test func savesAndReadsLinksAsLinks() async {
        await script(
            #"""
            assert(os.execute("ln -s /nowhere/at-all '" .. tmp .. "/link'"))
            equal(vault.save(tmp .. "/link").kind, "link")
            vault.read("link", tmp .. "/again")
            local pipe = io.popen("readlink '" .. tmp .. "/again'") equal(pipe:read "l", "/nowhere/at-all") pipe:close()
            """#)
    }

    @Test func takesAbsenceForAnAnswer() async {
        await script(
            #"""
            equal(vault.stat "x", nil) equal(vault.exists "x", false) equal(select("#", vault.stat "x"), 1)
            vault.put("d/x", "1") vault.put("d/x", "22")
            equal(vault.exists "d/x", true) equal(vault.exists "d", false) equal(vault.stat "d", nil)
            equal(vault.stat("d/x").size, 2) equal(vault.stat("d/x", {version = 1}).size, 1)
            equal(vault.stat("d/x", {version = 3}), nil) equal(vault.stat("d/x", {at = 0}), nil)
            vault.remove "d/x"
            equal(vault.stat "d/x", nil) equal(vault.exists "d/x", false)
            equal(vault.stat("d/x", {version = 2}).size, 2)
            """#)
    }

    @Test func tellsNamesOfAnyBytesApart() async {
        await script(
            #"""
            local names = {"caf\u{e9}", "cafe\u{301}", "a\nb", "a\tb", "a\27[31mb", "  ", "-", ("y"):rep(255)}
            for n, name in ipairs(names) do vault.put(name, "content " .. n) end
            for n, name in ipairs(names) do equal(vault.get(name), "content " .. n) end
            equal(vault.list():count(), #names)
            local path = write("\xff\xfe", "raw")
            local entry = vault.save(path)
            equal(entry.name, "‛FF‛FE") equal(vault.get(entry.name), "raw")
            mkdir "out" vault.read(entry.name, tmp .. "/out/") equal(slurp "out/\xff\xfe", "raw")
            equal(vault.save(path, "p\u{e9}/").name, "p\u{e9}/‛FF‛FE")
            """#)
    }
}
