import Glibc
import NIOCore
import NIOPosix
import VaultModel

/// The listening socket of a server.
struct Listener: Sendable {
    private let channel: NIOAsyncChannel<ServerConnection, Never>

    static func open(
        _ options: Server.Options,
        _ prepare: @escaping @Sendable (any Channel) -> EventLoopFuture<ServerConnection>
    ) async throws(VaultError) -> Listener {
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 512)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.recvAllocator, value: ConnectionSetup.receiving)
        do {
            if let socket = options.socket {
                return Listener(channel: try await bootstrap.bind(socket, childChannelInitializer: prepare))
            }
            return Listener(
                channel: try await bootstrap.bind(
                    host: options.host, port: options.port, childChannelInitializer: prepare))
        } catch {
            let number = (error as? IOError)?.errnoCode
            let reason = number.map { String(cString: strerror($0)) } ?? "\(error)"
            throw VaultError(
                number == EACCES ? .denied : .unavailable,
                "Cannot listen on \(options.host) port \(options.port): \(reason).")
        }
    }

    var port: Int { channel.channel.localAddress?.port ?? 0 }

    /// Serves each connection in a task of its own, and returns when the last one has ended.
    func serve(_ body: @escaping @Sendable (ServerConnection) async -> Void) async {
        try? await channel.executeThenClose { connections in
            await withDiscardingTaskGroup { group in
                do {
                    for try await connection in connections { group.addTask { await body(connection) } }
                } catch {
                    // The socket failed, or was closed: those who are connected stay.
                }
            }
        }
    }

    func close() {
        channel.channel.close(promise: nil)
    }
}
