package import VaultModel

/// The code of the error that `body` throws; nil where it throws none.
package func code<Result>(_ body: () throws -> Result) -> VaultError.Code? {
    do {
        _ = try body()
        return nil
    } catch {
        return VaultError(error).code
    }
}

/// The same for what runs asynchronously.
package func eventualCode<Result>(_ body: () async throws -> Result) async -> VaultError.Code? {
    do {
        _ = try await body()
        return nil
    } catch {
        return VaultError(error).code
    }
}
