import Glibc
import Testing
import VaultClient
import VaultModel

/// Connections that are made for another process.
@Suite struct SocketDialerTests {
    /// A socket that listens on a free port of this machine, or has the port and does not listen.
    private func listener(listens: Bool = true) throws -> (OpenFile, port: UInt16) {
        let file = OpenFile(
            descriptor: socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0), path: LocalPath("a listening socket"))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout.size(ofValue: address))
        let status = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard bind(file.descriptor, address, length) == 0, !listens || listen(file.descriptor, 1) == 0 else {
                    return Int32(-1)
                }
                return getsockname(file.descriptor, address, &length)
            }
        }
        try #require(status == 0)
        return (file, UInt16(bigEndian: address.sin_port))
    }

    @Test func connectsToAServer() throws {
        let (listener, port) = try listener()
        let file = try SocketDialer.connect(to: ServerURL("minivault://127.0.0.1:\(port)"))
        let accepted = accept(listener.descriptor, nil, nil)
        #expect(accepted >= 0)
        defer { close(accepted) }
        #expect(send(file.descriptor, "x", 1, Int32(MSG_NOSIGNAL)) == 1)
        var byte: UInt8 = 0
        #expect(recv(accepted, &byte, 1, 0) == 1 && byte == UInt8(ascii: "x"))
        // Programs do not inherit it.
        #expect(fcntl(file.descriptor, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test func saysWhyItCannot() throws {
        let (held, port) = try listener(listens: false)
        func failure(_ url: String) throws -> VaultError? {
            do throws(VaultError) {
                _ = try SocketDialer.connect(to: try ServerURL(url))
                return nil
            } catch {
                return error
            }
        }
        let refused = try failure("minivault://127.0.0.1:\(port)")
        #expect(
            refused?.code == .unavailable && refused?.message.hasPrefix("Nothing listens at") == true,
            "\(refused as Any)")
        let unknown = try failure("minivault://none.invalid")
        #expect(
            unknown?.code == .unavailable && unknown?.message.contains("was not found") == true, "\(unknown as Any)")
        withExtendedLifetime(held) {}
    }
}
