import VaultModel

@testable import VaultStore

extension Caller {
    /// Someone far away who may save, and read only what `readable` says.
    static func stranger(_ user: String, readable: @escaping @Sendable (Name) -> Bool = { _ in false }) -> Caller {
        Caller(user: user, peer: "192.0.2.7", sharing: .own(readable: readable))
    }

    /// Someone far away who may read all.
    static func reader(_ user: String) -> Caller { Caller(user: user, peer: "192.0.2.8") }
}

extension StoredVault {
    /// Saves one file by an upload of `caller`, cut into pieces of 100 bytes.
    @discardableResult
    func upload(
        _ text: String, _ bytes: [UInt8], by caller: Caller, change: UniqueID? = nil
    ) async throws -> SaveOutcome? {
        let upload = try await beginUpload(try intent(text), by: caller)
        do {
            return try await commit(upload, content: try await send(bytes, to: upload), change: change)
        } catch {
            await abort(upload)
            throw error
        }
    }

    /// What of `bytes` must be put to save them as `text`, a digit for each 100 bytes.
    func needed(_ text: String, _ bytes: [UInt8], by caller: Caller) async throws -> String {
        let upload = try await beginUpload(try intent(text), by: caller)
        let needed = try await offer(pieces(of: bytes, 100).map(\.reference), to: upload)
        await abort(upload)
        return needed.map { $0 ? "1" : "0" }.joined()
    }
}
