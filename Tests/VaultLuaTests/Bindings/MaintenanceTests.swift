import Testing

@Suite struct MaintenanceTests {
    @Test func forgetsAndCollects() async {
        await script(
            #"""
            for n = 1, 5 do vault.put("f", noise(100000, n)) end
            local dry = vault.keep("", {last = 2, dry_run = true})
            equal(dry.kept, 2) equal(dry.dropped, 3) equal(#vault.history "f", 5)
            local report = vault.keep("", {last = 2})
            equal(report.kept, 2) equal(report.dropped, 3) equal(report.forgotten, 0) equal(#vault.history "f", 2)
            local collected = vault.gc()
            equal(collected.removed_chunks, 3) assert(math.type(collected.freed_bytes) == "integer")
            assert(collected.kept_bytes > 0 and collected.changed_packs >= 0)
            for _, retained in ipairs(collected.retained) do
              assert(retained.reason ~= "uploads" and retained.reason ~= "reads")
              assert(math.type(retained.count) == "integer" and math.type(retained.bytes) == "integer")
            end
            assert(vault.get "f" == noise(100000, 5))
            vault.keep("f", {daily = 1, weekly = 1, monthly = 1, within = "30d", zone = "Europe/Berlin"})
            misuse("bad argument #2 to 'keep' (table expected, got no value)", function() vault.keep "" end)
            misuse("bad argument #2 to 'keep' (unknown option 'yearly')", function() vault.keep("", {yearly = 1}) end)
            misuse("bad argument #2 to 'keep' (field 'last': number expected, got string)", function()
              vault.keep("", {last = "two"})
            end)
            fails("invalid", function() vault.keep("", {last = -1}) end)
            vault.keep("f", {within = 3600}) vault.keep("f", {within = "3600"})
            fails("invalid", function() vault.keep("", {within = "soon"}) end)
            fails("invalid", function() vault.keep("", {within = -1}) end)
            fails("invalid", function() vault.keep("", {last = 1, zone = "Mars/Olympus"}) end)
            fails("invalid", function() vault.keep("", {last = 1, zone = "../../etc/passwd"}) end)
            """#)
    }

    @Test func verifies() async {
        await script(
            #"""
            vault.put("a/f", noise(100000)) vault.put("b", "x")
            local report = vault.verify()
            equal(report.clean, true) equal(report.damaged_chunks, 0) equal(#report.damaged, 0) equal(#report.problems, 0)
            equal(report.checked_chunks, 2) equal(report.checked_bytes, 100001)
            equal(vault.verify("a").checked_chunks, 1) equal(vault.verify(nil, {sample = 0.5}).clean, true)
            for _, sample in ipairs {0, -1, 1.5, 5, 0 / 0, math.huge} do
              fails("invalid", function() vault.verify("", {sample = sample}) end)
            end
            equal(vault.verify("", {sample = "100%"}).checked_chunks, 2)
            for _, sample in ipairs {"x", "5", "0%", "101%"} do
              fails("invalid", function() vault.verify("", {sample = sample}) end)
            end
            misuse("bad argument #2 to 'verify' (field 'sample': string expected, got boolean)", function()
              vault.verify("", {sample = true})
            end)
            """#)
    }
}
