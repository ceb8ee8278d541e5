import Logging
import Testing

@testable import VaultServer

@Suite struct ServerBoundsTests {
    @Test(arguments: [(160, 80), (8, 8), (100_000, 4096)])
    func connectionsAreAsManyAsHalfOfTheFilesThatMayBeOpen(files: Int, connections: Int) {
        var bounds = ServerBounds()
        bounds.fitOpenFiles(files, Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        #expect(bounds.connections == connections)
    }

    @Test func halfOfTheMemoryIsForWhatUsersHold() {
        #expect(ServerLimits.heldBytes(ofProcess: 512 << 20) == 224 << 20)
        #expect(ServerLimits.heldBytes(ofProcess: 0) == 32 << 20)
    }
}
