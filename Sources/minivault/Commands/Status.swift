import ArgumentParser
import VaultAccess
import VaultClient
import VaultLua
import VaultModel
import VaultStore

struct Status: VaultCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell which vault is used and how full it is; on a server also as whom, and with what rights.")
    static let purpose = VaultLocation.Purpose.read

    @OptionGroup var common: VaultOptions
    @Flag(help: "Print one JSON object.")
    var json = false

    func run(on vault: any Vault) async throws {
        var lines: [(String, String)] = []
        if let remote = vault as? RemoteVault {
            let status = try await remote.status()
            if json { return Output.line(Format.json(status, of: remote.url).text) }
            lines += [("server", remote.url.place), ("user", status.user), ("vault", status.vault)]
            lines += status.grants.map { ("may", $0) }
            lines += Status.usage(status.storedBytes, status.quota)
            lines += status.hooks.map { ("hook", $0.text) }
        } else if let local = vault as? StoredVault {
            let usage = try await local.usage()
            if json { return Output.line(Format.json(usage, of: local.place).text) }
            lines = [("vault", local.place)] + Status.usage(usage.storedBytes, usage.quota)
        }
        for (label, value) in lines {
            Output.line(Output.isTerminal ? "\(Format.padded(label, 8))  \(value)" : "\(label)\t\(value)")
        }
    }

    private static func usage(_ stored: UInt64, _ quota: UInt64?) -> [(String, String)] {
        func text(_ bytes: UInt64) -> String {
            Output.isTerminal ? "\(Format.bytes(bytes)) (\(bytes) bytes)" : "\(bytes)"
        }
        return [("stored", text(stored))] + (quota.map { [("quota", text($0))] } ?? [])
    }
}

extension HookStatus {
    /// `hooks.lua:3 before_save: 12 runs, 2 rejections, 0 failures, 0.4 ms each, 3.1 ms at most`.
    fileprivate var text: String {
        func milliseconds(_ seconds: Double) -> String { "\((seconds * 10_000).rounded() / 10) ms" }
        let mean = runs > 0 ? seconds / Double(runs) : 0
        return "\(place) \(kind): \(runs) runs, \(rejections) rejections, \(failures) failures, "
            + "\(milliseconds(mean)) each, \(milliseconds(secondsMax)) at most" + (isSuspended ? ", resting" : "")
    }
}
