import LuaEngine
import VaultModel

extension VaultLibrary {
    static let maintenance: [Binding] = [
        Binding(
            "verify", "verify([prefix [, options]]) -> report",
            "Reads what is stored back and compares it with its digests; 'sample' is the share to read, 0.1 for a tenth.",
            options: ["sample"]
        ) { invocation, call in
            let prefix = try call.prefix(invocation.first)
            let sample = try invocation.options(call, 1).share("sample") ?? 1
            try invocation.wait(call) { (vault) async throws(VaultError) in
                try await vault.verify(VerifyRequest(prefix: prefix, sample: sample))
            } then: { report, call in
                call.returns(EntryValue.table(report))
            }
        },
        Binding(
            "keep", "keep(prefix, options) -> report",
            """
            Forgets the versions that no rule keeps; 'within' is a duration such as '30d'. Never a current version. Of names \
            that hooks of a server reject, 'rejected' tells how many keep all versions, 'rejections' the first and why.
            """,
            options: ["last", "daily", "weekly", "monthly", "within", "zone", "dry_run"]
        ) { invocation, call in
            let prefix = try call.prefix(invocation.first)
            _ = try call.table(invocation.first + 1)
            let options = try invocation.options(call, 1)
            var policy = KeepPolicy()
            policy.last = try options.count("last") ?? 0
            policy.daily = try options.count("daily") ?? 0
            policy.weekly = try options.count("weekly") ?? 0
            policy.monthly = try options.count("monthly") ?? 0
            policy.within = try options.wholeSeconds("within") ?? 0
            let calendar = try CivilCalendar(zone: try options.string("zone"))
            let (rules, isDryRun) = (policy, try options.boolean("dry_run") ?? false)
            try invocation.wait(call) { (vault) async throws(VaultError) in
                try await vault.keep(prefix, rules, calendar: calendar, isDryRun: isDryRun)
            } then: { report, call in
                call.returns(EntryValue.table(report))
            }
        },
        Binding(
            "gc", "gc() -> report",
            "Gives back the space of what nothing needs any more; 'retained' tells what stays, why, and until when."
        ) { invocation, call in
            try invocation.wait(call) { (vault) async throws(VaultError) in
                try await vault.collect()
            } then: { report, call in
                call.returns(EntryValue.table(report))
            }
        },
    ]
}
