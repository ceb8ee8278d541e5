import FuzzSupport
import LuaEngine
import SwiftProtobuf
import VaultLua
import VaultModel
import VaultWire
import VaultWireFuzzing

/// Shows an entry in every way that the program knows, and pulls a vault that lists such entries.
func fuzzEntry(_ input: [UInt8]) async throws(BrokenInvariant) {
    var choices = Choices(input)
    switch choices.below(3) {
    case 0:
        guard let wire = try? WireEntry(serializedBytes: choices.rest), let entry = try? wire.model else { return }
        try check(entry)
    case 1:
        while !choices.isEmpty {
            if let entry = try? choices.entry().model { try check(entry) }
        }
    default: try await pull(&choices)
    }
}

// MARK: Shown

private func check(_ entry: Entry) throws(BrokenInvariant) {
    for isTerminal in [false, true] {
        let lines = Output.$isTerminal.withValue(isTerminal) {
            [
                Format.long(entry), Format.version(entry), Format.name(entry.name), Format.mode(entry),
                Format.bytes(entry.size), Format.time(entry.savedAt), Format.time(entry.modifiedSeconds, to: .minute),
            ]
        }
        for line in lines { try checkLine(line, tabs: !isTerminal) }
    }
    let outcome = SaveOutcome(entry: entry, isCreated: true, newBytes: entry.version)
    for json in [Format.json(entry), Format.json(outcome)] { try checkLine(json.text, tabs: false) }
    try checkLine("\(VaultError.absent(entry.name, .time(entry.savedAt)))", tabs: false)
    let fields = EntryValue.table(entry, outcome: outcome).fields.map(\.key)
    try require(Set(fields).count == fields.count, "a field comes twice")
    try require((try? Name(typed: Array(entry.name.typed.utf8))) == entry.name, "a name that is typed is another one")
    for zone in [CivilZone.utc, .local, CivilZone(offset: 50_000)] {
        let reader = TimeReader(zone: zone, now: entry.savedAt)
        let text = TimeText.local(entry.savedAt, in: zone)
        // At the ends of time clocks cannot show what they show.
        guard let seconds = try? reader.seconds(text) else { continue }
        try require(seconds == entry.savedAt, "a time that is typed as it is shown is another one")
    }
}

/// A line stays one, and moves no cursor.
private func checkLine(_ line: String, tabs: Bool) throws(BrokenInvariant) {
    let isSafe = line.unicodeScalars.allSatisfy { scalar in
        switch scalar.value {
        case 0x09: tabs
        case 0x00...0x1F, 0x7F...0x9F, 0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: false
        default: true
        }
    }
    try require(isSafe, "a line has characters that are not text: \(line.debugDescription)")
}

// MARK: Pulled

/// Pulls twice, so that the second time all is there already, and looks at what came about.
private func pull(_ choices: inout Choices) async throws(BrokenInvariant) {
    let vault = MadeVault(&choices)
    let scratch = ScratchDirectory()
    let target = scratch.path.appending("target")
    var options = TreeOptions()
    (options.deletes, options.checksum) = (choices.flag(), choices.flag())
    options.overwrites = !choices.rarely(8)
    for _ in 0..<2 {
        guard let report = try? await Pull(from: vault, options: options).run(.all, target) else { continue }
        _ = EntryValue.table(report)
    }
    try require(
        Set(ScratchDirectory.names(in: scratch.path)).isSubset(of: ["target"]), "a pull writes beside its directory")
    try checkModes(below: target)
}

/// What a vault says gives nobody the rights of a file's owner.
private func checkModes(below path: LocalPath) throws(BrokenInvariant) {
    for name in ScratchDirectory.names(in: path) {
        let child = path.appending(name)
        guard let status = try? FileStatus(of: child) else { continue }
        try require(status.mode & 0o6000 == 0, "'\(child)' has special permission bits")
        if status.kind == .directory { try checkModes(below: child) }
    }
}
