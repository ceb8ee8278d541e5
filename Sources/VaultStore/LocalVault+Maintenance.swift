package import VaultModel

extension LocalVault {
    package func collect() async throws(VaultError) -> CollectionReport {
        CollectionReport()
    }
    package func verify(_ request: VerifyRequest) async throws(VaultError) -> VerifyReport {
        VerifyReport()
    }
}
