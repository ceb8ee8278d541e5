import Glibc
package import VaultModel

/// Connects to servers on a thread that may wait, for another process that is handed the socket.
package enum SocketDialer {
    /// Milliseconds for one address of several, after which the next one is tried.
    private static let addressMilliseconds: Int32 = 5000

    /// Connects to one of a server's addresses, in the order in which the system prefers them.
    ///
    /// - Returns: a connected socket, which is the caller's.
    /// - Throws: `unavailable` or `timeout` where no address can be reached.
    package static func connect(to url: ServerURL) throws(VaultError) -> OpenFile {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(url.host, "\(url.port)", &hints, &found) == 0, let found else {
            throw VaultError.nameNotFound(url)
        }
        defer { freeaddrinfo(found) }
        let addresses = Array(sequence(first: found) { $0.pointee.ai_next })
        let deadline = ContinuousClock.now + .seconds(ClientLimits.connectSecondsMax)
        var failures: [Int32] = []
        for (index, address) in addresses.enumerated() {
            let left = Int32(clamping: Int((deadline - ContinuousClock.now) / .milliseconds(1)))
            guard left > 0 else {
                failures.append(ETIMEDOUT)
                break
            }
            let isLast = index == addresses.count - 1
            do throws(Failure) {
                return try connect(
                    to: address.pointee, url, milliseconds: isLast ? left : min(left, addressMilliseconds))
            } catch {
                failures.append(error.number)
            }
        }
        throw VaultError(connecting: failures, to: url)
    }

    private struct Failure: Error {
        var number: Int32
    }

    private static func connect(
        to address: addrinfo, _ url: ServerURL, milliseconds: Int32
    ) throws(Failure) -> OpenFile {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(address.ai_family, type, address.ai_protocol)
        guard descriptor >= 0 else { throw Failure(number: errno) }
        let file = OpenFile(descriptor: descriptor, path: LocalPath("the connection to \(url.place)"))
        if Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 { return file }
        guard errno == EINPROGRESS || errno == EINTR else { throw Failure(number: errno) }
        var polled = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&polled, 1, milliseconds) > 0 else { throw Failure(number: ETIMEDOUT) }
        var failure: Int32 = 0
        var length = socklen_t(MemoryLayout.size(ofValue: failure))
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &length)
        if failure != 0 { throw Failure(number: failure) }
        return file
    }
}
