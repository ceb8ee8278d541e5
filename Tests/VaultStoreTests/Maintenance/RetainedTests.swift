import Glibc
import Testing
import VaultModel

@testable import VaultStore

/// What only vaults in directories have to keep, and how a vault is known for what it is.
@Suite struct RetainedTests {
    @Test func whatAnUploadHasNotRecordedYetIsTold() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                // Enough that the pack is not copied for what is behind it.
                try await vault.save("a", sample(1, count: 50_000))
                let upload = try await vault.beginUpload(try intent("b"))
                let content = try await vault.send(sample(2, count: 1000), to: upload)
                let writing = try await vault.collect().retained.first { $0.reason == .writing }
                #expect(writing?.count == 1 && writing?.endsAt == nil)
                #expect(writing?.bytes == 10 * UInt64(100 + RecordHeader.byteCount))
                _ = try await vault.commit(upload, content: content)
                #expect(try await !vault.collect().retained.contains { $0.reason == .writing })
            }
        }
    }

    @Test func theCatalogOfAnotherVaultIsNotTakenForTheOwnOne() async throws {
        try await withTemporaryDirectory { directory in
            let (one, other) = (directory.appending("one"), directory.appending("other"))
            for path in [one, other] {
                try await withVault(path) { vault in
                    try await vault.save("a", sample(1))
                    try await vault.checkIdentity()
                }
            }
            try SmallFile.remove(one.appending("catalog.sqlite"))
            let (from, to) = (other.appending("catalog.sqlite"), one.appending("catalog.sqlite"))
            #expect(from.withCString { from in to.withCString { to in link(from, to) } } == 0)
            try await withVault(one, access: .readOnly) { vault in
                await expect(.integrity) { try await vault.checkIdentity() }
            }
        }
    }

    @Test func aCatalogWithoutAHistoryIsKnownByThePacks() async throws {
        try await withTemporaryDirectory { directory in
            try await withVault(directory) { vault in
                try await vault.checkIdentity()
                let upload = try await vault.beginUpload(try intent("b"))
                _ = try await vault.send(sample(2, count: 1000), to: upload)
                try await vault.checkIdentity()
                await vault.abort(upload)
            }
        }
    }
}
