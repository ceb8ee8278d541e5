import Glibc
import NIOCore
import VaultModel

/// The addresses that a server listens on: all that a host name has.
struct ListeningAddresses {
    let addresses: [SocketAddress]

    /// Looks up a host, which may take the time of a name service.
    ///
    /// - Parameters:
    ///   - host: a name or an address. All addresses by IPv6, `::`, are also all by IPv4, and only those on a machine without
    ///     IPv6.
    ///   - lookUp: the addresses of a host, in the system's order.
    /// - Throws: `unavailable` for a name without an address.
    init(
        host: String, port: Int,
        lookUp: (_ host: String, _ port: Int) throws(VaultError) -> [SocketAddress] = ListeningAddresses.lookUp
    ) throws(VaultError) {
        if host == "::" {
            var either: [SocketAddress] = []
            for address in ["::", "0.0.0.0"] { either += (try? lookUp(address, port)) ?? [] }
            addresses = either
        } else {
            addresses = try lookUp(host, port)
        }
    }

    static func lookUp(_ host: String, _ port: Int) throws(VaultError) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &first)
        defer { if let first { freeaddrinfo(first) } }
        guard status == 0 else {
            throw VaultError(
                .unavailable, "Cannot listen on '\(printable(host))': \(String(cString: gai_strerror(status))).")
        }
        var found: [SocketAddress] = []
        for info in sequence(first: first, next: { $0?.pointee.ai_next }).prefix(while: { $0 != nil }) {
            guard let info = info?.pointee, let address = info.ai_addr else { continue }
            let one: SocketAddress? =
                switch info.ai_family {
                case AF_INET:
                    address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                        SocketAddress($0.pointee, host: host)
                    }
                case AF_INET6:
                    address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                        SocketAddress($0.pointee, host: host)
                    }
                default: nil
                }
            if let one, !found.contains(one) { found.append(one) }
        }
        return found
    }

    /// Listens on all addresses of a host, at one port.
    ///
    /// - Parameters:
    ///   - port: 0 for one that the system chooses.
    ///   - bind: listens on one address.
    ///   - channel: the channel of what `bind` made.
    /// - Throws: `denied` where that is not allowed, `unavailable` where it cannot be.
    static func listen<Listening: Sendable>(
        host: String, port: Int, _ bind: (SocketAddress) async throws -> Listening,
        channel: (Listening) -> any Channel
    ) async throws(VaultError) -> [Listening] {
        for _ in 0..<ServerLimits.portTriesMax {
            let places = try await withTaskExecutorPreference(BlockingExecutor.shared) { () async throws(VaultError) in
                try ListeningAddresses(host: host, port: port)
            }
            if let all = try await places.listen(bind, channel) { return all }
        }
        throw VaultError(.unavailable, "No port is free on all addresses of '\(printable(host))'.")
    }

    /// - Returns: nil where a port that the system chose for one address is taken on another one.
    private func listen<Listening: Sendable>(
        _ bind: (SocketAddress) async throws -> Listening, _ channel: (Listening) -> any Channel
    ) async throws(VaultError) -> [Listening]? {
        var all: [Listening] = []
        var absent: VaultError?
        let choosesPort = addresses.first?.port == 0
        for var address in addresses {
            let first = all.first.flatMap { channel($0).localAddress }
            // All by IPv6 are all by IPv4 too.
            if first?.ipAddress == "::" { break }
            if choosesPort, let port = first?.port { address.port = port }
            do {
                all.append(try await bind(address))
            } catch {
                let number = (error as? IOError)?.errnoCode
                let problem = VaultError(
                    listening: error, on: "\(address.ipAddress ?? "") port \(address.port ?? 0)")
                // An address that this machine does not have is left out where the host has others.
                if addresses.count > 1, number == EAFNOSUPPORT || number == EADDRNOTAVAIL {
                    absent = problem
                    continue
                }
                for one in all { channel(one).close(promise: nil) }
                if choosesPort, !all.isEmpty, number == EADDRINUSE { return nil }
                throw problem
            }
        }
        if all.isEmpty { throw absent ?? VaultError(.unavailable, "There is no address to listen on.") }
        return all
    }
}

extension VaultError {
    /// The error for a socket that cannot be listened on.
    init(listening error: any Error, on place: String) {
        let number = (error as? IOError)?.errnoCode
        let reason = number.map { String(cString: strerror($0)) } ?? "\(error)"
        self.init(number == EACCES ? .denied : .unavailable, "Cannot listen on \(place): \(reason).")
    }
}
