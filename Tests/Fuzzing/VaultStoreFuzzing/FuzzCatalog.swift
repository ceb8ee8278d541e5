import FuzzSupport
import Glibc
import VaultModel

/// Tampers with the files of a vault, and uses it then.
func fuzzCatalog(_ input: [UInt8]) async throws(BrokenInvariant) {
    var choices = Choices(input)
    let samples = await VaultImage.samples.value
    var image = choices.one(of: samples)
    let scratch = ScratchDirectory()
    let vault = scratch.path.appending(VaultUse.vaultName)
    image.write(to: vault)
    if let tampering = Tampering(vault.appending(VaultImage.catalogName)) {
        tampering.changeRows(&choices)
        tampering.changeSchema(&choices)
        tampering.close()
    }
    image = VaultImage(reading: vault)
    image.damage(&choices)
    ScratchDirectory.remove(vault)
    image.write(to: vault)
    if choices.rarely(32) { link(in: vault, scratch, &choices) }
    try await VaultUse(scratch).run(&choices)
}

/// Puts a link in the place of one of the vault's files.
private func link(in vault: LocalPath, _ scratch: ScratchDirectory, _ choices: inout Choices) {
    let name = choices.one(of: ["catalog.sqlite", "catalog.sqlite-wal", "lock", "reserve", "packs"])
    let path = vault.appending(name)
    let target = scratch.path.appending(VaultUse.victimName)
    ScratchDirectory.remove(path)
    _ = target.withCString { target in path.withCString { symlink(target, $0) } }
}
