import Testing

@Suite struct ListingTests {
    @Test func listsInTheOrderOfNames() async {
        await script(
            #"""
            for _, name in ipairs {"b", "a/2", "a/1", "a.txt", "c/d/e"} do vault.put(name, name) end
            local names = {}
            for entry in vault.list() do names[#names + 1] = entry.name end
            equal(table.concat(names, " "), "a.txt a/1 a/2 b c/d/e")
            equal(vault.list("a/"):count(), 2) equal(vault.list("a"):count(), 2) equal(vault.list("a."):count(), 0)
            equal(vault.list(nil, {limit = 2}):count(), 2) equal(vault.list("", {limit = 0}):count(), 0)
            local all = vault.list("", {after = "a/1"}):all()
            equal(#all, 3) equal(all[1].name, "a/2") equal(all[3].size, 5)
            local listing = vault.list()
            equal(listing().name, "a.txt") equal(listing:count(), 4) equal(listing:count(), 0) equal(listing(), nil)
            equal(select("#", listing()), 1)
            """#)
    }

    @Test func listsTagsVersionsAndTimes() async {
        await script(
            #"""
            vault.put("a", "1", {tags = {k = "v", l = "w"}}) vault.put("b", "2", {tags = {k = "x"}}) vault.put("b", "3")
            vault.put("c", "4") vault.remove "c"
            equal(vault.list("", {tags = {k = "v"}}):all()[1].name, "a")
            equal(vault.list("", {tags = {k = "v", l = "x"}}):count(), 0)
            equal(vault.list("", {versions = true}):count(), 5)
            local kinds = {}
            for e in vault.list("c", {versions = true}) do kinds[#kinds + 1] = e.kind .. e.version end
            equal(table.concat(kinds, " "), "file1 removed2")
            equal(vault.list("", {at = os.time() + 10}):count(), 2) equal(vault.list("", {at = 1}):count(), 0)
            """#)
    }

    @Test func isOneSnapshotOverManyPages() async {
        await script(
            #"""
            local dir = mkdir "many"
            for n = 1, 2500 do write(("many/%04d"):format(n), tostring(n)) end
            vault.push(dir, "many")
            local seen = 0
            for e in vault.list "many" do
              seen = seen + 1
              equal(e.name, ("many/%04d"):format(seen))
              if seen == 1 then vault.remove "many/2400" vault.put("many/2401x", "new") end
            end
            equal(seen, 2500)
            equal(vault.list("many"):count(), 2500)
            """#)
    }

    @Test func tellsWhoTakesItForATable() async {
        await script(
            #"""
            vault.put("a", "1")
            local l = vault.list()
            local text = "a listing is not a table: use 'for entry in listing do', or listing:all()"
            misuse(text, function() return l[1] end)
            misuse(text, function() return #l end)
            misuse(text, function() for _ in pairs(l) do end end)
            misuse(text, function() for _ in ipairs(l) do end end)
            equal(l.nothing, nil)
            raises(function() l.x = 1 end)
            assert(tostring(l):find "^vault listing: ")
            l:close()
            misuse("attempt to use a closed vault listing", function() l() end)
            misuse("attempt to use a closed vault listing", function() l:all() end)
            misuse("bad argument #1 to 'list' (string expected, got table)", function() vault.list {} end)
            misuse("bad argument #2 to 'list' (unknown option 'tag')", function() vault.list("", {tag = 1}) end)
            misuse("bad argument #2 to 'list' (field 'versions': boolean expected, got number)", function()
              vault.list("", {versions = 1})
            end)
            fails("invalid", function() vault.list("a//b") end)
            fails("invalid", function() vault.list("", {limit = -1}) end)
            fails("invalid", function() vault.list("", {after = "/"}) end)
            """#)
    }

    @Test func matchesPatternsAsGitignoreDoes() async {
        await script(
            #"""
            for _, name in ipairs {"a.txt", "d/b.txt", "d/e/c.txt", "d/x.md", "[x]"} do vault.put(name, "") end
            local function names(glob)
              local found = {}
              for e in vault.names(glob) do found[#found + 1] = e.name end
              return table.concat(found, " ")
            end
            equal(names "*.txt", "a.txt d/b.txt d/e/c.txt") equal(names "/*.txt", "a.txt")
            equal(names "d/*.txt", "d/b.txt") equal(names "d/**/*.txt", "d/b.txt d/e/c.txt")
            equal(names "?.md", "d/x.md") equal(names "\\[x\\]", "[x]") equal(names "nothing", "")
            equal(#vault.names("*.md"):all(), 1)
            misuse("bad argument #1 to 'names' (string expected, got no value)", function() vault.names() end)
            equal(names "[", "") fails("invalid", function() vault.names "" end)
            """#)
    }
}
