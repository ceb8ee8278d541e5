import Testing

@testable import VaultWire

@Suite struct LimitsTests {
    @Test func aFrameFitsEveryMessageBound() {
        #expect(WireLimits.frameBytesMax <= WireLimits.clientMessageBytesMax)
        #expect(WireLimits.clientMessageBytesMax <= WireLimits.serverMessageBytesMax)
    }
}
