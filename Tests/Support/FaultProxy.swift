import Foundation
import Glibc
import Synchronization
import VaultModel

/// Stands between a client and a server on this machine, counts what passes, and does harm at a chosen place.
///
/// Places are TLS records, of which every message begins a new one: so harm can come at each boundary of a
/// message, and in the middle of one.
package final class FaultProxy: Sendable {
    package enum Direction: Int, Sendable, CaseIterable {
        case toServer, toClient
    }

    package enum Harm: Sendable, CaseIterable {
        /// The connection goes before the record.
        case cut
        /// Half of the record passes, then the connection goes.
        case truncate
        /// A bit of the record is turned.
        case garble
        /// The record passes twice.
        case duplicate
        /// The record waits a little.
        case delay
    }

    package struct Fault: Sendable {
        package var harm: Harm
        package var direction: Direction
        /// Counted from 0 over all connections, in one direction.
        package var record: Int

        package init(_ harm: Harm, _ direction: Direction, record: Int) {
            self.harm = harm
            self.direction = direction
            self.record = record
        }
    }

    private struct State {
        var upstreams: [Int]
        var next = 0
        var fault: Fault?
        var records = [0, 0]
        var bytes = [0, 0]
        var connections = 0
        var sockets: Set<Int32> = []
        var isClosed = false
    }

    package let port: Int
    private let listener: Int32
    private let state: Mutex<State>

    private let isTLS: Bool
    private let introduction: [UInt8]

    /// - Parameters:
    ///   - upstream: the server's port; another one after the server was started anew.
    ///   - isTLS: whether TLS passes; if not, what comes at once counts as a record.
    ///   - introduction: what it says to the server itself, first of all on each connection.
    package init(upstream: Int, isTLS: Bool = true, introduction: [UInt8] = []) throws {
        self.isTLS = isTLS
        self.introduction = introduction
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = FaultProxy.address(0)
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        var bound = sockaddr_in()
        var boundLength = length
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, length) }
        }
        guard status == 0, listen(listener, 128) == 0 else {
            throw VaultError(system: errno, "listen on", LocalPath("a port"))
        }
        withUnsafeMutablePointer(to: &bound) {
            _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &boundLength) }
        }
        port = Int(UInt16(bigEndian: bound.sin_port))
        state = Mutex(State(upstreams: [upstream]))
        Thread.detachNewThread { self.accept() }
    }

    /// Forgets what was counted and does this harm from now on, once.
    package func arm(_ fault: Fault?) {
        state.withLock { state in
            state.fault = fault
            (state.records, state.bytes) = ([0, 0], [0, 0])
        }
    }

    package func records(_ direction: Direction) -> Int { state.withLock { $0.records[direction.rawValue] } }
    package func bytes(_ direction: Direction) -> Int { state.withLock { $0.bytes[direction.rawValue] } }
    package var connections: Int { state.withLock { $0.connections } }
    /// Whether the harm has been done.
    package var isDone: Bool { state.withLock { $0.fault == nil } }

    /// Lets connections to come go to other servers, to one after another.
    package func redirect(to upstreams: Int...) {
        state.withLock { $0.upstreams = upstreams }
    }

    /// Cuts all connections that are open.
    package func cutAll() {
        for socket in state.withLock({ $0.sockets }) { shutdown(socket, Int32(SHUT_RDWR)) }
    }

    package func close() {
        state.withLock { $0.isClosed = true }
        shutdown(listener, Int32(SHUT_RDWR))
        cutAll()
    }

    private func accept() {
        while true {
            let client = Glibc.accept(listener, nil, nil)
            if client < 0 { break }
            guard let server = connect() else {
                Glibc.close(client)
                continue
            }
            for socket in [client, server] {
                var one: Int32 = 1
                setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
            }
            state.withLock { state in
                state.connections += 1
                state.sockets.formUnion([client, server])
            }
            _ = FaultProxy.writeAll(introduction, to: server)
            let pair = Pair(client, server)
            Thread.detachNewThread { self.pass(pair, .toServer) }
            Thread.detachNewThread { self.pass(pair, .toClient) }
        }
        Glibc.close(listener)
    }

    /// Connects to the next server that answers.
    private func connect() -> Int32? {
        let upstreams = state.withLock { state in
            state.next += 1
            let start = state.next % state.upstreams.count
            return Array(state.upstreams[start...] + state.upstreams[..<start])
        }
        for upstream in upstreams {
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = FaultProxy.address(upstream)
            let status = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            if status == 0 { return server }
            Glibc.close(server)
        }
        return nil
    }

    private static func address(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    /// Two sockets, closed when neither direction uses them any more.
    private final class Pair: Sendable {
        let client: Int32
        let server: Int32
        private let users = Atomic<Int>(2)

        init(_ client: Int32, _ server: Int32) {
            self.client = client
            self.server = server
        }

        func end() -> Bool {
            shutdown(client, Int32(SHUT_RDWR))
            shutdown(server, Int32(SHUT_RDWR))
            return users.subtract(1, ordering: .acquiringAndReleasing).newValue == 0
        }
    }

    private func pass(_ pair: Pair, _ direction: Direction) {
        let (from, to) = direction == .toServer ? (pair.client, pair.server) : (pair.server, pair.client)
        while let record = isTLS ? FaultProxy.readRecord(from) : FaultProxy.readSome(from) {
            let harm = state.withLock { state -> Harm? in
                let number = state.records[direction.rawValue]
                state.records[direction.rawValue] += 1
                state.bytes[direction.rawValue] += record.count
                guard let fault = state.fault, fault.direction == direction, fault.record == number else { return nil }
                state.fault = nil
                return fault.harm
            }
            guard send(record, to: to, harm) else { break }
        }
        if pair.end() {
            state.withLock { $0.sockets.subtract([pair.client, pair.server]) }
            Glibc.close(pair.client)
            Glibc.close(pair.server)
        }
    }

    private func send(_ record: [UInt8], to socket: Int32, _ harm: Harm?) -> Bool {
        switch harm {
        case nil: return FaultProxy.writeAll(record, to: socket)
        case .cut: return false
        case .truncate:
            _ = FaultProxy.writeAll(Array(record[..<(record.count / 2)]), to: socket)
            return false
        case .garble:
            var record = record
            record[record.count - 1] ^= 1
            return FaultProxy.writeAll(record, to: socket)
        case .duplicate: return FaultProxy.writeAll(record + record, to: socket)
        case .delay:
            var pause = timespec(tv_sec: 0, tv_nsec: 20_000_000)
            nanosleep(&pause, nil)
            return FaultProxy.writeAll(record, to: socket)
        }
    }

    /// A TLS record with its header (RFC 8446, section 5.1), or whatever is left at the end.
    private static func readRecord(_ socket: Int32) -> [UInt8]? {
        guard let header = read(5, from: socket) else { return nil }
        guard let body = read(Int(header[3]) << 8 | Int(header[4]), from: socket) else { return nil }
        return header + body
    }

    private static func readSome(_ socket: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = bytes.withUnsafeMutableBytes { recv(socket, $0.baseAddress, $0.count, 0) }
        return count > 0 ? Array(bytes[..<count]) : nil
    }

    private static func read(_ count: Int, from socket: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = bytes.withUnsafeMutableBytes { recv(socket, $0.baseAddress! + done, count - done, 0) }
            if got <= 0 { return nil }
            done += got
        }
        return bytes
    }

    private static func writeAll(_ bytes: [UInt8], to socket: Int32) -> Bool {
        var done = 0
        while done < bytes.count {
            let sent = bytes.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
            }
            if sent <= 0 { return false }
            done += sent
        }
        return true
    }
}
