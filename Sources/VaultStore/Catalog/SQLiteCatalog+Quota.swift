package import VaultModel

extension SQLiteCatalog {
    package func reserve(_ bytes: UInt64) async throws(VaultError) {
        try await reservations.reserve(bytes) { () async throws(VaultError) in try await usage() }
    }

    package func giveBack(_ bytes: UInt64) async { reservations.end(bytes) }
}
