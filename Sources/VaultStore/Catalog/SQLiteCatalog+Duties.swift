package import VaultModel

/// A directory is served by one server, which has all duties.
extension SQLiteCatalog {
    package func takeDuty(_ name: String, as holder: UniqueID, seconds: Int64) async throws(VaultError) -> Bool { true }

    package func leaveDuty(_ name: String, as holder: UniqueID) async throws(VaultError) {}

    package func claim(_ name: String, since time: Int64, at now: Int64) async throws(VaultError) -> Bool { true }
}
