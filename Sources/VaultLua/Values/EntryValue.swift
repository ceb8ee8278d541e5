package import LuaEngine
package import VaultModel

/// Entries, outcomes and reports as Lua tables.
package enum EntryValue {
    package static func table(_ entry: Entry, outcome: SaveOutcome? = nil) -> LuaTable {
        var table = LuaTable(fields: [
            "name": entry.name.bytes,
            "kind": entry.kind.description,
            "size": Int(clamping: entry.size),
            "mode": Int(entry.attributes.mode),
            "modified_at": Int(entry.modifiedSeconds),
            "tags": tags(entry.tags),
        ])
        if outcome?.isTold ?? true {
            table.fields += [
                ("version", Int(clamping: entry.version)), ("sequence", Int(clamping: entry.sequence)),
                ("saved_at", Int(entry.savedAt)), ("saved_by", entry.savedBy),
            ]
        }
        if entry.kind != .removed { table.fields.append(("digest", entry.content.digest.description)) }
        if let outcome, outcome.isTold {
            table.fields.append(("new_bytes", Int(clamping: outcome.newBytes)))
            table.fields.append(("created", outcome.isCreated))
        }
        return table
    }

    static func table(_ outcome: SaveOutcome) -> LuaTable {
        table(outcome.entry, outcome: outcome)
    }

    static func tags(_ tags: [TagText: TagText]) -> LuaTable {
        var table = LuaTable(fields: [:])
        table.fields = tags.sorted { $0.key < $1.key }.map { ($0.key.text, $0.value.text) }
        return table
    }

    package static func table(_ report: TreeReport) -> LuaTable {
        LuaTable(fields: [
            "saved": report.saved,
            "skipped": report.skipped,
            "removed": report.removed,
            "bytes": Int(clamping: report.bytes),
            "new_bytes": Int(clamping: report.newBytes),
            "failed": LuaTable.array(
                report.failed.map { failure in
                    LuaTable(fields: [
                        "path": failure.path.bytes, "code": failure.error.code.rawValue,
                        "message": failure.error.description,
                    ])
                }),
            "changed": report.changed,
            "unset": report.unset,
            "unmatched": LuaTable.array(report.unmatched),
        ])
    }

    static func table(_ report: KeepReport) -> LuaTable {
        LuaTable(fields: [
            "kept": report.keptVersions, "dropped": report.droppedVersions, "forgotten": report.forgottenNames,
            "rejected": report.rejectedNames, "rejections": LuaTable.array(report.rejections.map { table($0) }),
        ])
    }

    private static func table(_ rejection: VaultError) -> LuaTable {
        var table = LuaTable(fields: ["code": rejection.code.rawValue, "message": rejection.description])
        if let name = rejection.name { table.fields.append(("name", name.bytes)) }
        return table
    }

    static func table(_ report: CollectionReport) -> LuaTable {
        LuaTable(fields: [
            "removed_chunks": report.removedChunks,
            "freed_bytes": Int(clamping: report.freedBytes),
            "kept_bytes": Int(clamping: report.keptBytes),
            "changed_packs": report.changedPacks,
            "retained": LuaTable.array(report.retained.map { table($0) }),
        ])
    }

    private static func table(_ retained: CollectionReport.Retained) -> LuaTable {
        var table = LuaTable(fields: [
            "reason": retained.reason.rawValue, "count": retained.count, "bytes": Int(clamping: retained.bytes),
        ])
        if let endsAt = retained.endsAt { table.fields.append(("ends_at", Int(endsAt))) }
        return table
    }

    static func table(_ report: VerifyReport) -> LuaTable {
        LuaTable(fields: [
            "checked_chunks": report.checkedChunks,
            "checked_bytes": Int(clamping: report.checkedBytes),
            "damaged_chunks": report.damagedChunks,
            "damaged": LuaTable.array(
                report.damaged.map { damaged in
                    LuaTable(fields: ["name": damaged.name.bytes, "version": Int(clamping: damaged.version)])
                }),
            "problems": LuaTable.array(report.problems),
            "clean": report.isClean,
        ])
    }
}

extension Entry {
    /// Seconds since 1970 UTC, rounded down.
    package var modifiedSeconds: Int64 { attributes.modified.dividedDown(by: 1_000_000_000).quotient }
}
