import VaultClient
import VaultLua
import VaultModel
import VaultServer
import VaultStore

/// Reports as JSON objects, under the names that they have in Lua.
extension Format {
    static func json(_ report: KeepReport, isDryRun: Bool) -> JSON {
        .object([
            ("kept", .integer(report.keptVersions)), ("dropped", .integer(report.droppedVersions)),
            ("forgotten", .integer(report.forgottenNames)), ("rejected", .integer(report.rejectedNames)),
            ("rejections", .array(report.rejections.map { json($0) })), ("dry_run", .boolean(isDryRun)),
        ])
    }

    private static func json(_ rejection: VaultError) -> JSON {
        .object([
            ("name", rejection.name.map { .string($0.text) } ?? JSON.null), ("code", .string(rejection.code.rawValue)),
            ("message", .string(rejection.description)),
        ])
    }

    static func json(_ report: CollectionReport) -> JSON {
        .object([
            ("removed_chunks", .integer(report.removedChunks)), ("freed_bytes", count(report.freedBytes)),
            ("kept_bytes", count(report.keptBytes)), ("changed_packs", .integer(report.changedPacks)),
            ("retained", .array(report.retained.map { json($0) })),
        ])
    }

    /// The sentence for what a collection had to keep, without a full stop.
    static func line(_ retained: CollectionReport.Retained) -> String {
        let size = bytes(retained.bytes)
        let end = retained.endsAt.map { " until \(time($0))" } ?? ""
        func counted(_ noun: String) -> String { "\(retained.count) \(noun)\(retained.count == 1 ? "" : "s")" }
        return switch retained.reason {
        case .uploads:
            "kept \(size) of \(counted("unfinished upload"))\(end): 'save' or 'push' of the same files goes on with it"
        case .reads: "kept \(size) for reads that began before it was dropped\(end), longer where they go on"
        case .packs:
            "kept \(size) of no use in \(counted("pack")): a pack is copied without it once it is more than a fifth"
        case .writing: "kept \(size) in \(counted("pack")) that somebody writes to\(end)"
        }
    }

    private static func json(_ retained: CollectionReport.Retained) -> JSON {
        let endsAt = retained.endsAt.map { JSON.integer(Int($0)) } ?? JSON.null
        return .object([
            ("reason", .string(retained.reason.rawValue)), ("count", .integer(retained.count)),
            ("bytes", count(retained.bytes)), ("ends_at", endsAt),
        ])
    }

    /// - Parameter rebuilt: what a repair before the verification did; nil where none was needed.
    static func json(_ report: VerifyReport, rebuilt: VaultRepair.Report?) -> JSON {
        let damaged = report.damaged.map { damaged in
            JSON.object([
                ("name", .string(damaged.name.text)), ("version", .integer(Int(clamping: damaged.version))),
            ])
        }
        return .object([
            ("checked_chunks", .integer(report.checkedChunks)), ("checked_bytes", count(report.checkedBytes)),
            ("damaged_chunks", .integer(report.damagedChunks)), ("damaged", .array(damaged)),
            ("problems", .array(report.problems.map { JSON.string($0) })), ("clean", .boolean(report.isClean)),
            ("rebuilt", rebuilt.map { json($0) } ?? JSON.null),
        ])
    }

    private static func json(_ rebuilt: VaultRepair.Report) -> JSON {
        .object([
            ("groups", .integer(rebuilt.groups)), ("changes", .integer(rebuilt.changes)),
            ("chunks", .integer(rebuilt.chunks)),
            ("problems", .array(rebuilt.problems.map { JSON.string($0) })),
        ])
    }

    static func json(_ difference: Difference) -> JSON {
        .object([
            ("name", .string(difference.name.text)), ("change", .string(difference.change.rawValue)),
        ])
    }

    static func json(_ usage: VaultUsage, of place: String) -> JSON {
        var members: [(key: String, value: JSON)] = [("vault", .string(place))]
        members += counts(usage.storedBytes, usage.quota)
        return .object(members)
    }

    static func json(_ status: RemoteStatus, of url: ServerURL) -> JSON {
        var members: [(key: String, value: JSON)] = [
            ("server", .string(url.place)), ("user", .string(status.user)), ("vault", .string(status.vault)),
            ("grants", .array(status.grants.map { .string($0) })),
        ]
        members += counts(status.storedBytes, status.quota)
        members.append(("hooks", .array(status.hooks.map { json($0) })))
        return .object(members)
    }

    /// - Parameter quota: nil, and null, for no limit.
    private static func counts(_ stored: UInt64, _ quota: UInt64?) -> [(key: String, value: JSON)] {
        [("stored_bytes", count(stored)), ("quota", quota.map { count($0) } ?? JSON.null)]
    }

    private static func json(_ hook: HookStatus) -> JSON {
        .object([
            ("place", .string(hook.place)), ("kind", .string(hook.kind)), ("runs", count(hook.runs)),
            ("rejections", count(hook.rejections)), ("failures", count(hook.failures)),
            ("seconds", number(hook.seconds)), ("seconds_max", number(hook.secondsMax)),
            ("suspended", .boolean(hook.isSuspended)),
        ])
    }

    static func json(_ user: Accounts.User) -> JSON {
        .object([
            ("name", .string(user.name)), ("created_at", .integer(Int(user.createdAt))),
            (
                "grants",
                .array(
                    user.access.map { access in
                        .object([
                            ("vault", .string(access.vault)), ("prefix", .string(access.grant.prefix.top?.text ?? "")),
                            ("rights", .string("\(access.grant.rights)")),
                        ])
                    })
            ),
            ("keys", .array(user.keys.map { json($0) })),
        ])
    }

    static func json(_ key: Accounts.DeviceKey) -> JSON {
        .object([
            ("label", .string(key.label)), ("enrolled_at", .integer(Int(key.enrolledAt))),
            ("fingerprint", .string(key.fingerprint)),
        ])
    }

    /// A vault of a server; one that has lost its name has null for it.
    static func json(vault name: String?, id: String, place: String) -> JSON {
        .object([
            ("name", name.map { JSON.string($0) } ?? JSON.null), ("id", .string(id)), ("place", .string(place)),
            ("orphaned", .boolean(name == nil)),
        ])
    }

    static func count(_ value: UInt64) -> JSON { .integer(Int(clamping: value)) }

    /// Null for what JSON has no number for.
    private static func number(_ value: Double) -> JSON { value.isFinite ? .number(value) : .null }
}
