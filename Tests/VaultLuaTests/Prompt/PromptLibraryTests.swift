import LuaEngine
import Testing

@testable import VaultLua

@Suite struct PromptLibraryTests {
    /// Runs a script that finds the prompt's library in `library`.
    private func script(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) async {
        await VaultLuaTests.script(text, sourceLocation: sourceLocation) { session in
            let library = try PromptLibrary.install(session)
            try session.state.setGlobal("library", library)
        }
    }

    @Test func showsValuesReadably() async {
        await script(
            #"""
            local function shows(expected, ...) equal(library.show(false, ...), expected) end
            shows("1\t2.0\tnil\ttrue", 1, 2.0, nil, true) shows("") shows('"a\\n\\"b\\"\\\\\\x00\\x7Fä"', 'a\n"b"\\\0\127ä')
            shows('"\\xFFx\\xC3"', "\xFFx\xC3")
            shows('{}', {}) shows('{1, "b", {3}, [2.5] = 4, ["a b"] = 2, ["end"] = 3, x = 1, [true] = 5}',
              {1, "b", {3}, x = 1, ["a b"] = 2, ["end"] = 3, [2.5] = 4, [true] = 5})
            shows("{1, nil, 3}", table.pack(1, nil, 3).n and {1, nil, 3})
            local cycle = {name = "c"} cycle.self = cycle cycle.list = {cycle, {}}
            shows('{list = {<cycle>, {}}, name = "c", self = <cycle>}', cycle)
            local shared = {1} shows("{{1}, {1}}", {shared, shared})
            local wide = {} for n = 1, 3 do wide["key" .. n] = ("x"):rep(30) end
            shows(('{\n  key1 = "%s",\n  key2 = "%s",\n  key3 = "%s"\n}'):format(wide.key1, wide.key1, wide.key1), wide)
            shows('{\n  {\n    "' .. ("y"):rep(100) .. '"\n  }\n}', {{("y"):rep(100)}})
            shows("own text", setmetatable({}, {__tostring = function() return "own text" end}))
            shows("{own}", {setmetatable({}, {__tostring = function() return "own" end})})
            shows("(an error in __tostring)", setmetatable({}, {__tostring = error}))
            shows("{a = 1}", setmetatable({a = 1}, {__index = function() error "asked" end, __pairs = error, __len = error}))
            shows("function: vault.save(path [, name [, options]]) -> entry", vault.save)
            assert(library.show(false, print):find "^function: builtin" or library.show(false, print):find "^function: ")
            """#)
    }

    @Test func boundsWhatItShows() async {
        await script(
            #"""
            local list = {} for n = 1, 100000 do list[n] = n end
            local text = library.show(false, list)
            assert(#text < 3000 and text:find "… %(99900 more%)", #text)
            local map = {} for n = 1, 100000 do map["k" .. n] = n end
            text = library.show(false, map) assert(#text < 5000 and text:find "more%)", #text)
            local deep = {} local inner = deep for _ = 1, 100 do inner[1] = {} inner = inner[1] end
            text = library.show(false, deep) assert(#text < 200 and text:find "{…}", text)
            local bush = {} for n = 1, 60 do bush[n] = {} for m = 1, 60 do bush[n][m] = {n, m} end end
            text = library.show(false, bush) assert(#text < 60000, #text)
            text = library.show(false, ("x"):rep(1 << 20)) assert(#text < 5000 and text:find "1048576 bytes", #text)
            """#)
    }

    @Test func paintsOnlyWhereThereAreColors() async {
        await script(
            #"""
            equal(library.show(true, 1, "a"), "\27[36m1\27[0m\t\27[32m\"a\"\27[0m")
            assert(not library.show(false, {1, "a", {x = true}}):find "\27")
            -- Colours take no width.
            local text = library.show(true, {("x"):rep(40), ("y"):rep(40)}) assert(not text:find "\n", text)
            """#)
    }

    @Test func listsWhatAListingHas() async {
        await script(
            #"""
            for n = 1, 60 do vault.put(("f%02d"):format(n), ("x"):rep(n)) end
            local text = library.show(false, vault.list())
            local lines = 0 for _ in text:gmatch "[^\n]+" do lines = lines + 1 end
            equal(lines, 51) assert(text:find "%d%d:%d%dZ? +7 B  f07\n" and text:find "there are more", text)
            -- Looking takes nothing.
            local listing = vault.list() library.show(false, listing) equal(listing().name, "f01")
            assert(library.show(false, listing):find "f02") equal(listing:count(), 59)
            equal(library.show(false, vault.list "none"), "(nothing)")
            """#)
    }

    @Test func helpsByTheTableOfBindings() async {
        await script(
            #"""
            for _, about in ipairs {vault.save, "save", "vault.save"} do
              local text = library.help(about)
              assert(text:find("vault.save(path [, name [, options]]) -> entry\n", 1, true), text)
              assert(text:find "\n    if_version: fails with 'conflict'", text)
            end
            assert(library.help(vault.json.encode):find "json%.encode%(value%)")
            assert(library.help(vault.map):find "concurrency" and library.help "task:join":find "^task:join%(%)" and library.help "file.seek":find "whence")
            for name, f in pairs(vault) do
              if type(f) == "function" then assert(library.help(f):find("vault." .. name .. "(", 1, true), name) end
            end
            local all = library.help() assert(all:find "vault%.spawn" and all:find ":time" and all == library.help(vault))
            assert(library.help "nope":find "no function nope") assert(library.help(5):find "number")
            """#)
    }

    @Test func completesNamesFieldsAndOptions() async {
        await script(
            #"""
            local function completes(text, insertion, ...)
              local got, list = library.complete(text)
              equal(got, insertion, "insertion for " .. text)
              local expected = {...}
              equal(table.concat(list, " "), table.concat(expected, " "), "candidates for " .. text)
            end
            thing = {alpha = 1, alphabet = {deep = 2}, ["no word"] = 3, run = print}
            completes("thin", "g", "thing") completes("x = thing.alp", "ha", "thing.alpha" and "alpha", "alphabet")
            completes("thing.alphabet.d", "eep", "deep") completes("thing:", "run", "run") completes("thing.alpha.", "")
            completes("vault.wait_", "a", "wait_all", "wait_any") completes("print(vault.jso", "n", "json")
            completes("vault.json.", "", "array", "decode", "encode", "null") completes("retur", "n", "return") completes("", "")
            completes("string.rev", "erse", "reverse") completes('("x"):', "") completes("?vault.tim", "eout", "timeout")
            completes(":time vault.tim", "eout", "timeout") completes("-- vault.", "")
            -- Objects give their methods, and nothing is called.
            task = vault.spawn(print) completes("task:ca", "ncel", "cancel") connection = vault.connect(tmp .. "/c")
            completes("connection:hist", "ory", "history")
            trap = setmetatable({}, {__index = function() error "called" end}) completes("trap.x.y", "")
            completes("vault.save(p, n, {if", "_version = ", "if_version = ")
            completes("vault.map(list, f, {concurrency = 2, on", "_error = ", "on_error = ")
            completes("vault.list('x', {", "", "after = ", "at = ", "limit = ", "tags = ", "versions = ")
            completes("connection:keep('', {mon", "thly = ", "monthly = ")
            """#)
    }

    @Test func completesPathsAndWhatTheVaultHolds() async {
        await script(
            #"""
            local function completes(text, insertion, count)
              local got, list = library.complete(text)
              equal(got, insertion, "insertion for " .. text) equal(#list, count, "candidates for " .. text)
            end
            write("local one", "") write("local two", "") write(".hidden", "") mkdir "directory" write("directory/x", "")
            completes('vault.save("' .. tmp .. '/loc', "al ", 2) completes('vault.save "' .. tmp .. "/local o", "ne", 1)
            completes('io.open("' .. tmp .. "/dir", "ectory/", 1) completes('vault.push("' .. tmp .. "/.h", "idden", 1)
            completes("SAVE " .. tmp .. "/local\\ t", "wo", 1)
            completes("SAVE " .. tmp .. "/local", "\\ ", 2) completes("SAVE '" .. tmp .. "/local", " ", 2)
            completes("READ x " .. tmp .. "/dir", "ectory/", 1) completes("LIST x y", "", 0) completes('vault.save("' .. tmp .. "/none", "", 0)
            completes("SAV", "E ", 1) completes("  :ti", "me ", 1) completes("help('json.enc", "ode", 1)
            write("quo'te", "") completes("vault.save('" .. tmp .. "/quo", "\\'te", 1)
            vault.put("photos/2026/a.jpg", "") vault.put("photos/2026/b.jpg", "") vault.put("photos/old.jpg", "") vault.put("ü", "")
            completes('vault.get("ph', "otos/", 1) completes("vault.get 'photos/", "", 2) completes('vault.get("photos/2026/a', ".jpg", 1)
            completes('vault.rename("x", "photos/o', "ld.jpg", 1) completes("READ photos/2026/", "", 2) completes("LIST p", "hotos/", 1)
            -- Bytes of a name that cannot be typed are written by escapes, and read by them.
            vault.put("n/l\nx", "") vault.put("n/l\nx\27y'", "") completes('vault.get("n/', "l\\nx", 2)
            completes('vault.get("n/l\\nx\\', "", 0) completes("vault.get('n/l\\nx\\x1B", "y\\'", 1)
            -- Directories are found however much is below those before them.
            for n = 1, 600 do vault.put(("many/a/%d"):format(n), "") end vault.put("many/b/x", "")
            completes('vault.get("many/', "", 2) completes('vault.get("many/b', "/", 1)
            completes('x = vault.stat("', "", 4) completes('vault.json.decode("ph', "", 0)
            connection = vault.connect(tmp .. "/vault") completes('connection:read("photos/ol', "d.jpg", 1)
            completes('vault.read("photos/old.jpg", "' .. tmp .. "/directory/", "x", 1)
            """#)
    }

    @Test func takesTheCommandsOfTheFoundingProgram() async {
        await script(
            #"""
            local function run(line) return library.command(line)() end
            local path = write("a file", "content")
            assert(run('SAVE "' .. path .. '" kept'):find "saved kept: version 1, 7 B, 7 B of them new") equal(vault.get "kept", "content")
            assert(run("READ kept " .. tmp .. "/copy"):find "read kept into") equal(slurp "copy", "content")
            -- As vault.read and the command do.
            write("copy", "other") run("READ kept " .. tmp .. "/copy") equal(slurp "copy", "content")
            assert(run('SAVE "' .. path .. '" kept'):find "kept is unchanged: version 1, 7 B")
            assert(run("SAVE " .. path:gsub(" ", "\\ ") .. ' "with"\\ space'):find "saved with space")
            assert(run "LIST":find "7 B  kept" and run "LIST none" == "(nothing)" and run("LIST kept"):find "kept")
            for _, line in ipairs {"exit", "quit", "exit()", " quit ( ) "} do equal(library.command(line), "exit", line) end
            exit = 1 equal(library.command "exit", nil) exit = nil
            equal(run "save", "save is a function: vault.save(path [, name [, options]]) -> entry")
            equal(library.hint "save my\\ file x", 'Perhaps vault.save("my file", "x")?') equal(library.hint "unknown x", nil)
            equal(library.command "EXIT", "exit") equal(library.command "  EXIT  ", "exit")
            for _, line in ipairs {"SAVE = 1", "LIST(1)", "READ.x = 2", "EXIT = 3", "save x", "SAVED x", "print(1)", "READ[1] = 2"} do
              equal(library.command(line), nil, line)
            end
            equal(raises(run, "SAVE"), "usage: SAVE file [name]") equal(raises(run, "SAVE 'x"), "a quote ' is not closed")
            equal(raises(run, "READ"), "usage: READ name [file]") equal(raises(run, "LIST a b"), "usage: LIST [prefix]")
            fails("not_found", function() run "READ none" end)
            """#)
    }
}
