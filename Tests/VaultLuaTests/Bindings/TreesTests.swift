import Testing

@Suite struct TreesTests {
    private static let tree = #"""
        mkdir "t/sub/deep" mkdir "t/empty"
        write("t/a.txt", "a") write("t/b.tmp", "bb") write("t/sub/c.txt", "ccc") write("t/sub/deep/d", "dddd")
        write("t/.hidden", "h")
        dir = tmp .. "/t"
        """#

    @Test func pushesAndPullsATree() async {
        await script(
            Self.tree + #"""
                local report = vault.push(dir)
                equal(report.saved, 6) equal(report.skipped, 0) equal(report.removed, 0) equal(report.bytes, 11)
                equal(report.new_bytes, 11) equal(#report.failed, 0)
                equal(vault.stat("t/empty").kind, "directory") equal(vault.get "t/sub/deep/d", "dddd")
                local again = vault.push(dir .. "/", "t/")
                equal(again.saved, 0, "saved again") equal(again.skipped + again.saved, 6)
                equal(vault.pull("t", tmp .. "/out").saved, 6)
                assert(os.execute("diff -r '" .. dir .. "' '" .. tmp .. "/out'"))
                local same = vault.pull("t", tmp .. "/out")
                equal(same.saved, 0) equal(same.skipped, 6)
                for d in vault.compare(dir, "t") do error(d.name) end
                equal(vault.push(dir, "x", {include = "*.txt", exclude = {"sub/"}}).saved, 1)
                equal(vault.list("x"):all()[1].name, "x/a.txt")
                equal(vault.push(dir, "").saved, 6)
                equal(vault.get "a.txt", "a")
                """#)
    }

    @Test func takesPatternsOfAnyBytes() async {
        await script(
            #"""
            local dir = mkdir "t"
            write("t/caf\xe9.tmp", "1") write("t/‛quoted‛.tmp", "2") write("t/plain", "3")
            local report = vault.push(dir, "p", {exclude = {"caf\xe9.tmp", "‛quoted‛.tmp"}})
            equal(report.saved, 1) equal(vault.list("p"):all()[1].name, "p/plain") equal(#report.unmatched, 0)
            local names = {}
            for f in vault.files(dir, {exclude = {"caf\xe9*", "!x"}}) do names[#names + 1] = f.name end
            equal(table.concat(names, " "), "plain ‛‛quoted‛‛.tmp")
            vault.push(dir, "all")
            for name in vault.list "all" do equal(vault.names(name.name:gsub("[*?%[]", "\\%0")):count(), 1) end
            equal(vault.names("caf\xe9.???"):all()[1].name, "all/caf‛E9.tmp") equal(vault.names("‛quoted‛.tmp"):count(), 1)
            equal(vault.pull("all", tmp .. "/out", {include = "caf?.tmp"}).saved, 1)
            """#)
    }

    @Test func tellsWhichPatternsMatchedNothing() async {
        await script(
            Self.tree + #"""
                local report = vault.push(dir, "t", {include = {"*.txt", "*.md"}, exclude = {"./su", "./sub", "\xff"}})
                equal(table.concat(report.unmatched, " "), "*.md ./su \xff") equal(report.saved, 1)
                equal(vault.pull("t", tmp .. "/out", {exclude = "nothing/"}).unmatched[1], "nothing/")
                fails("invalid", function() vault.push(dir, "t", {exclude = dir .. "/sub"}) end)
                fails("invalid", function() vault.files(dir, {exclude = {"a/../b"}}) end)
                fails("invalid", function() for _ in vault.compare(dir, "t", {include = dir .. "/sub"}) do end end)
                """#)
    }

    @Test func mirrorsRemovalsWithinTheirLimit() async {
        await script(
            Self.tree + #"""
                vault.push(dir)
                os.remove(dir .. "/a.txt") os.remove(dir .. "/b.tmp")
                local dry = vault.push(dir, "t", {delete = true, dry_run = true})
                equal(dry.removed, 2) equal(vault.list("t"):count(), 6)
                local err = fails("conflict", function() vault.push(dir, "t", {delete = true, max_delete = 1}) end)
                assert(err.message:find "2 names would be removed") equal(vault.list("t"):count(), 6)
                equal(vault.push(dir, "t").removed, 0)
                equal(vault.push(dir, "t", {delete = true, max_delete = 2}).removed, 2)
                write("t/sub/new", "local only")
                local pulled = vault.pull("t", dir, {delete = true, dry_run = true})
                equal(pulled.removed, 1) equal(slurp "t/sub/new", "local only")
                fails("conflict", function() vault.pull("t", dir, {delete = true, max_delete = 0}) end)
                equal(slurp "t/sub/new", "local only")
                equal(vault.pull("t", dir, {delete = true}).removed, 1)
                assert(not io.open(dir .. "/sub/new"))
                """#)
    }

    @Test func triesEverythingThenRaisesTheFirstFailure() async {
        await script(
            #"""
            local dir = mkdir "t"
            vault.put("t/x/y", "1") write("t/x", "a file where the vault has names below it")
            write("t/ok1", "1") write("t/ok2", "2")
            local err = fails("exists", function() vault.push(dir, "t") end)
            equal(err.operation, "push") assert(err.path:find "/t/x$") equal(err.report.saved, 2)
            equal(#err.report.failed, 1) equal(err.report.failed[1].code, "exists")
            assert(err.report.failed[1].path == err.path and #err.report.failed[1].message > 10)
            equal(vault.get "t/ok2", "2")
            local seen = {}
            local report = vault.push(dir, "t", {on_error = function(path, e)
              seen[#seen + 1] = path
              equal(e.code, "exists") equal(getmetatable(e).__name, "vault.error")
              assert(tostring(e):find "." and e.path == path)
              return true
            end})
            equal(#seen, 1) equal(seen[1], err.path) equal(#report.failed, 1)
            for _, answer in ipairs {false, 1, "true"} do
              local e = fails("exists", function() vault.push(dir, "t", {on_error = function() return answer end}) end)
              equal(#e.report.failed, 1)
            end
            fails("exists", function() vault.push(dir, "t", {on_error = function() end}) end)
            equal(raises(function() vault.push(dir, "t", {on_error = function() error("mine", 0) end}) end), "mine")
            """#)
    }

    @Test func removesNothingWhenASourceCouldNotBeRead() async {
        await script(
            #"""
            local dir = mkdir "t"
            vault.put("t/gone", "1") vault.put("t/x/y", "1") write("t/x", "in the way")
            local report = vault.push(dir, "t", {delete = false, on_error = function() return true end})
            equal(report.removed, 0)
            fails("not_found", function() vault.push(tmp .. "/missing", "t", {delete = true}) end)
            equal(vault.get "t/gone", "1")
            raises(function() vault.push(write("file", "x"), "t", {delete = true}) end)
            equal(vault.get "t/gone", "1")
            """#)
    }

    @Test func pullsThePastAndSparesWhatIsThere() async {
        await script(
            #"""
            local dir = mkdir "t"
            write("t/f", "one") vault.push(dir)
            local before = os.time()
            while os.time() <= before do vault.sleep(0.05) end
            write("t/f", "twotwo") vault.push(dir)
            vault.pull("t", tmp .. "/old", {at = before}) equal(slurp "old/f", "one")
            local err = fails("exists", function() vault.pull("t", tmp .. "/old", {overwrite = false}) end)
            equal(slurp "old/f", "one") equal(#err.report.failed, 1)
            vault.pull("t", tmp .. "/old") equal(slurp "old/f", "twotwo")
            local changes = {}
            for d in vault.compare(dir, "t", {at = before}) do changes[#changes + 1] = d.name .. " " .. d.change end
            equal(table.concat(changes, ","), "t/f changed")
            """#)
    }

    @Test func comparesAndWalksLocalTrees() async {
        await script(
            Self.tree + #"""
                vault.push(dir)
                write("t/new", "n") write("t/a.txt", "changed") os.remove(dir .. "/b.tmp")
                local changes = {}
                for d in vault.compare(dir, "t") do changes[#changes + 1] = d.name .. " " .. d.change end
                equal(table.concat(changes, ","), "t/a.txt changed,t/b.tmp removed,t/new added")
                local files = {}
                for f in vault.files(dir) do
                  files[#files + 1] = f.name
                  assert(f.path == dir .. "/" .. f.name and math.type(f.size) == "integer" and f.kind and f.modified_at)
                end
                equal(table.concat(files, ","), ".hidden,a.txt,empty,new,sub/c.txt,sub/deep/d")
                local count = 0
                for _ in vault.files(dir, {exclude = "sub/"}) do count = count + 1 end
                equal(count, 4)
                fails("not_found", function() vault.files(tmp .. "/missing") end)
                fails("not_found", function() vault.compare(tmp .. "/missing", "t") end)
                """#)
    }

    @Test func wordsMisuse() async {
        await script(
            Self.tree + #"""
                misuse("bad argument #1 to 'push' (string expected, got no value)", function() vault.push() end)
                misuse("bad argument #2 to 'push' (string expected, got table)", function() vault.push(dir, {}) end)
                misuse("bad argument #3 to 'push' (unknown option 'deletes')", function()
                  vault.push(dir, "t", {deletes = true})
                end)
                misuse("bad argument #3 to 'push' (field 'delete': boolean expected, got string)", function()
                  vault.push(dir, "t", {delete = "yes"})
                end)
                misuse("bad argument #3 to 'push' (unknown option 'at')", function() vault.push(dir, "t", {at = 1}) end)
                misuse("bad argument #3 to 'push' (field 'on_error': function expected, got string)", function()
                  vault.push(dir, "t", {on_error = "continue"})
                end)
                misuse("bad argument #3 to 'push' (field 'include[1]': string expected, got table)", function()
                  vault.push(dir, "t", {include = {{}}})
                end)
                misuse("bad argument #1 to 'pull' (string expected, got no value)", function() vault.pull() end)
                misuse("bad argument #2 to 'pull' (string expected, got no value)", function() vault.pull "t" end)
                misuse("bad argument #2 to 'compare' (string expected, got no value)", function() vault.compare(dir) end)
                misuse("bad argument #1 to 'files' (string expected, got nil)", function() vault.files(nil) end)
                fails("invalid", function() vault.push(dir, "t", {max_delete = -1}) end)
                fails("invalid", function() vault.push(dir, "a//b") end)
                fails("invalid", function() vault.push "/" end)
                equal(vault.list():count(), 0)
                """#)
    }
}
