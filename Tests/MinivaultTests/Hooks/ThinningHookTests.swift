import TestSupport
import Testing
import VaultClient
import VaultModel

/// Hooks in Lua that decide on what `keep` forgets and `replicate` changes.
@Suite struct ThinningHookTests {
    @Test func decideOnceANameOnWhatKeepForgets() async throws {
        let sandbox = try Sandbox()
        try sandbox.write(
            "hooks.lua",
            """
            vault.on("before_remove", {match = "legal/**"}, function(event)
              local count = vault.kv.incr(event.name, 1)
              return event:reject(("time %d, version %d, %s, %s"):format(count, event.version, event:read(), event.user))
            end)
            """)
        let server = try await sandbox.serve(options: ["--hooks", sandbox.path + "/hooks.lua"])
        defer { server.kill() }
        for text in ["one", "two", "three"] {
            try sandbox.write("f", text)
            for name in ["legal/a", "legal/b", "other"] { try await sandbox.succeed("save", "f", "--as", Word(name)) }
        }
        let dry = try await sandbox.succeed("keep", "--last", "1", "--dry-run")
        #expect(dry.output == "3 versions kept, 6 to forget, 0 names gone\n")
        let kept = try await sandbox.run("keep", "--last", "1")
        #expect(kept.output == "7 versions kept, 2 forgotten, 0 names gone, 2 names rejected\n", "\(kept.errors)")
        #expect(kept.status == 7)
        #expect(
            kept.errors.split(separator: "\n").sorted() == [
                "minivault: 'legal/a' was rejected: time 1, version 3, three, anna.",
                "minivault: 'legal/b' was rejected: time 1, version 3, three, anna.",
            ], "\(server.log)")
        #expect(try await sandbox.succeed("history", "legal/a").lines.count == 3)
        #expect(try await sandbox.succeed("history", "other").lines.count == 1)
        let json = try await sandbox.run("keep", "--last", "1", "legal", "--json")
        let report = try #require(json.objects.first)
        #expect(json.status == 7 && report["rejected"] as? Int == 2 && report["dropped"] as? Int == 0)
        let rejections = try #require(report["rejections"] as? [[String: Any]])
        #expect(rejections.compactMap { $0["name"] as? String }.sorted() == ["legal/a", "legal/b"])
        #expect(rejections.allSatisfy { $0["code"] as? String == "rejected" && $0["message"] is String })
        let script = try await sandbox.script(
            """
            local report = vault.keep("legal", {last = 1})
            local first = report.rejections[1]
            print(report.rejected, #report.rejections, first.code, first.name:match "^legal/" ~= nil, first.message:match "time 3")
            """)
        #expect(script.status == 0 && script.output == "2\t2\trejected\ttrue\ttime 3\n", "\(script.errors)")
    }

    @Test func decideOnRemovedNamesAndOnThoseThatOthersTook() async throws {
        let server = try await HookServer(
            """
            vault.on("before_remove", {match = "legal/**"}, function(event)
              if vault.kv.get "holds" then return event:reject(event.name .. " was " .. event:read()) end
            end)
            vault.on("save", {match = "hold"}, function() vault.kv.set("holds", true) vault.put("held", "yes") end)
            """)
        for name in ["legal/removed", "legal/taken"] {
            try await server.save(name, Array("old \(name)".utf8))
            _ = try await server.vault.changing(.remove(NamePrefix(name)))
        }
        try await server.save("new", Array("new".utf8))
        _ = try await server.vault.changing(.rename(from: Name("new"), to: Name("legal/taken")))
        try await server.save("hold")
        try await server.wait(for: "yes", of: "held")
        var policy = KeepPolicy()
        policy.within = 1
        // What was removed is older than a second only after it.
        let isOld = try await soon {
            let report = try await server.vault.keep(.all, policy, calendar: .utc, isDryRun: true)
            return report.forgottenNames == 2
        }
        #expect(isOld)
        let report = try await server.vault.keep(.all, policy, calendar: .utc, isDryRun: false)
        #expect(report.rejectedNames == 2 && report.forgottenNames == 0, "\(server.log)")
        #expect(
            report.rejections.map(\.message).sorted() == [
                "'legal/removed' was rejected: legal/removed was old legal/removed.",
                "'legal/taken' was rejected: legal/taken was old legal/taken.",
            ])
        await server.end()
    }

    @Test func whoMayNotReadIsToldHowManyAndNotWhich() async throws {
        let server = try await HookServer(
            "vault.on('before_remove', function(event) return event:reject 'held' end)", users: ["bert"])
        try await server.sandbox.succeed("user", "grant", "bert", "anna", "remove", "--data", "data")
        for text in ["1", "2"] { try await server.save("a", Array(text.utf8)) }
        let vault = try await server.server.connect(as: "bert", vault: "anna")
        var policy = KeepPolicy()
        policy.last = 1
        let report = try await vault.keep(.all, policy, calendar: .utc, isDryRun: false)
        #expect(report.rejectedNames == 1 && report.rejections.isEmpty)
        #expect(try await server.vault.history(Name("a")).count == 2)
        await vault.close()
        await server.end()
    }

    @Test func whatAReplicaIsToHoldPassesItsServersHooks() async throws {
        let target = try await HookServer(
            """
            vault.on("before_remove", {match = "held"}, function(event) return event:reject "held" end)
            vault.on("before_save", {match = "*.exe"}, function(event) return event:reject "a program" end)
            vault.on("before_save", {match = "*.txt"}, function(event) event:tag("checked", "yes") end)
            """)
        let source = try await HookServer("")
        for name in ["a.txt", "small.exe"] { try await source.save(name) }
        try await source.save("large.exe", randomBytes(3_000_000, seed: 3))
        for name in ["held", "gone"] { try await target.save(name) }
        var options = TreeOptions()
        let first = try await Replicate(from: source.vault, to: target.vault, options: options).run(.all)
        #expect(first.failed.map(\.error.code) == [.rejected, .rejected], "\(target.log)")
        #expect(first.failed.map { "\($0.path)" }.sorted() == ["large.exe", "small.exe"])
        #expect(try await target.vault.stat(Name("a.txt"), .current)?.tags == ["checked": "yes"])
        for name in ["small.exe", "large.exe"] {
            #expect(try await target.vault.stat(Name(name), .current) == nil)
            _ = try await source.vault.changing(.remove(NamePrefix(name)))
        }
        options.deletes = true
        let second = try await Replicate(from: source.vault, to: target.vault, options: options).run(.all)
        #expect(second.removed == 1 && second.failed.map { "\($0.path)" } == ["held"])
        #expect(second.failed.first?.error.message.contains("held") == true)
        #expect(try await target.vault.stat(Name("held"), .current) != nil)
        #expect(try await target.vault.stat(Name("gone"), .current) == nil)
        await source.end()
        await target.end()
    }
}
