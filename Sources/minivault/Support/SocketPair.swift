import CProcess
import Glibc
import VaultModel

/// Two connected sockets: ours, and the one that another process gets a copy of. What is not taken closes.
final class SocketPair {
    private var ours: Int32
    let theirs: Int32

    init() throws(VaultError) {
        var ends: [Int32] = [-1, -1]
        guard cprocess_socket_pair(&ends) == 0 else {
            throw VaultError(system: errno, "open", LocalPath("a socket pair"))
        }
        (ours, theirs) = (ends[0], ends[1])
    }

    deinit {
        if ours >= 0 { close(ours) }
        close(theirs)
    }

    func takeOurs() -> Int32 {
        defer { ours = -1 }
        return ours
    }
}
