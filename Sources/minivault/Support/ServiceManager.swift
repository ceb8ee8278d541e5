import Glibc
import VaultModel

/// What systemd passes to a service and hears from it (sd_listen_fds(3), sd_notify(3)).
enum ServiceManager {
    private static let firstSocket: Int32 = 3
    private static let socketsMax: Int32 = 1024

    /// The listening sockets that the process was started with.
    static var passedSockets: [Int32] {
        guard number("LISTEN_PID") == getpid(), let count = number("LISTEN_FDS"), (1...socketsMax).contains(count)
        else {
            return []
        }
        let sockets = Array(firstSocket..<firstSocket + count)
        for socket in sockets { _ = fcntl(socket, F_SETFD, FD_CLOEXEC) }
        return sockets
    }

    /// Tells the service manager of a change of state; without one, nothing.
    static func notify(_ state: String) {
        guard var bytes = EnvironmentVariable.bytes("NOTIFY_SOCKET") else { return }
        let socket = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        guard socket >= 0 else { return }
        defer { close(socket) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        // An abstract name begins with a NUL, which the variable spells '@'.
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let text = Array(state.utf8)
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                sendto(socket, text, text.count, Int32(MSG_NOSIGNAL), address, length)
            }
        }
    }

    private static func number(_ name: String) -> pid_t? {
        getenv(name).flatMap { pid_t(String(cString: $0)) }
    }
}
