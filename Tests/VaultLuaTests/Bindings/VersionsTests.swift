import Testing

@Suite struct VersionsTests {
    @Test func removesNamesAndPrefixes() async {
        await script(
            #"""
            for _, name in ipairs {"a", "d/1", "d/2", "d2"} do vault.put(name, name) end
            equal(vault.remove "a", 1) equal(vault.remove "d", 2) equal(vault.list():count(), 1)
            local err = fails("not_found", function() vault.remove "a" end)
            equal(err.name, "a") equal(err.operation, "remove")
            fails("conflict", function() vault.remove("d2", {if_version = 7}) end)
            equal(vault.remove("d2", {if_version = 1}), 1)
            misuse("bad argument #1 to 'remove' (string expected, got no value)", function() vault.remove() end)
            misuse("bad argument #2 to 'remove' (unknown option 'force')", function() vault.remove("a", {force = 1}) end)
            """#)
    }

    @Test func renamesAndCopies() async {
        await script(
            #"""
            vault.put("a/x", "1") vault.put("a/x", "2") vault.put("a/y", "3") vault.put("t", "taken")
            equal(vault.rename("a", "b"), 2) equal(vault.get "b/x", "2") equal(#vault.history "b/x", 2)
            equal(vault.stat "a/x", nil)
            equal(vault.copy("b", "c"), 2) equal(vault.get "c/x", "2") equal(#vault.history "c/x", 1)
            equal(fails("exists", function() vault.rename("b/x", "t") end).operation, "rename")
            fails("exists", function() vault.copy("b/x", "t") end)
            fails("not_found", function() vault.rename("nothing", "z") end)
            fails("not_found", function() vault.copy("nothing", "z") end)
            raises(function() vault.rename("b", "b/inside") end)
            equal(vault.list():count(), 5)
            misuse("bad argument #2 to 'rename' (string expected, got no value)", function() vault.rename "a" end)
            misuse("bad argument #2 to 'copy' (string expected, got nil)", function() vault.copy("a", nil) end)
            """#)
    }

    @Test func tellsHistoriesAndReverts() async {
        await script(
            #"""
            vault.put("f", "1") vault.put("f", "22") vault.remove "f"
            local history = vault.history "f"
            equal(#history, 3) equal(history[1].size, 1) equal(history[2].version, 2) equal(history[3].kind, "removed")
            local entry = vault.revert("f", 1)
            equal(entry.version, 4) equal(vault.get "f", "1")
            fails("not_found", function() vault.revert("f", 9) end)
            raises(function() vault.revert("f", 3) end)
            fails("invalid", function() vault.revert("f", 0) end)
            fails("invalid", function() vault.revert("f", math.mininteger) end)
            raises(function() vault.revert("f", math.maxinteger) end)
            fails("not_found", function() vault.history "g" end)
            misuse("bad argument #2 to 'revert' (number expected, got no value)", function() vault.revert "f" end)
            misuse("bad argument #2 to 'revert' (number has no integer representation)", function()
              vault.revert("f", 1.5)
            end)
            """#)
    }

    @Test func tags() async {
        await script(
            #"""
            vault.put("f", "1", {tags = {a = "1"}})
            local entry = vault.tag("f", {b = "2", n = 3})
            equal(entry.version, 2) equal(entry.tags.a, "1") equal(entry.tags.b, "2") equal(entry.tags.n, "3")
            entry = vault.tag("f", {a = false, zz = false})
            equal(entry.tags.a, nil) equal(entry.tags.b, "2")
            equal(vault.tag("f", {}).version, 3)
            equal(vault.tag("f", {["cafe\u{301}"] = "2"}).tags["cafe\u{301}"], "2")
            local both = vault.put("g", "x", {tags = {["\u{E9}"] = "1", ["e\u{301}"] = "2"}}).tags
            equal(both["\u{E9}"], "1") equal(both["e\u{301}"], "2")
            equal(vault.tag("g", {["e\u{301}"] = false}).tags["\u{E9}"], "1")
            equal(vault.list("g", {tags = {["\u{E9}"] = "1"}}):count(), 1)
            equal(vault.list("g", {tags = {["e\u{301}"] = "1"}}):count(), 0)
            fails("invalid", function() vault.tag("f", {a = true}) end)
            fails("not_found", function() vault.tag("h", {a = "1"}) end)
            misuse("bad argument #2 to 'tag' (table expected, got no value)", function() vault.tag "f" end)
            misuse("bad argument #2 to 'tag' (table expected, got string)", function() vault.tag("f", "x") end)
            raises(function() vault.tag("f", {a = {}}) end)
            raises(function() vault.tag("f", {a = "\xff"}) end)
            fails("invalid", function() vault.put("f", "1", {tags = {["\xE9"] = "x"}}) end)
            fails("invalid", function() vault.put("f", "1", {tags = {k = "\xE9"}}) end)
            fails("invalid", function() vault.tag("f", {k = "\xE9"}) end)
            raises(function() vault.put("f", "1", {tags = {[{}] = "x"}}) end)
            raises(function() vault.put("f", "1", {tags = {a = true}}) end)
            """#)
    }
}
