import Logging
import NIOCore
import NIOPosix
import VaultModel

/// The listening sockets of a server.
struct Listener: Sendable {
    private let channels: [NIOAsyncChannel<ServerConnection, Never>]

    static func open(
        _ options: Server.Options, _ logger: Logger,
        _ prepare: @escaping @Sendable (any Channel) -> EventLoopFuture<ServerConnection>
    ) async throws(VaultError) -> Listener {
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 512)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { $0.pausingAccepts(logger) }
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.recvAllocator, value: ConnectionSetup.receiving)
        if options.sockets.isEmpty {
            return Listener(
                channels: try await ListeningAddresses.listen(host: options.host, port: options.port) { address in
                    try await bootstrap.bind(to: address, childChannelInitializer: prepare)
                } channel: {
                    $0.channel
                })
        }
        var channels: [NIOAsyncChannel<ServerConnection, Never>] = []
        for socket in options.sockets {
            do {
                channels.append(try await bootstrap.bind(socket, childChannelInitializer: prepare))
            } catch {
                for channel in channels { channel.channel.close(promise: nil) }
                throw VaultError(listening: error, on: "the socket \(socket) that was passed")
            }
        }
        return Listener(channels: channels)
    }

    /// The port of the first socket.
    var port: Int { ports.first ?? 0 }

    var ports: [Int] { channels.map { $0.channel.localAddress?.port ?? 0 } }

    /// Serves each connection in a task of its own, and returns when the last one has ended.
    func serve(_ body: @escaping @Sendable (ServerConnection) async -> Void) async {
        await withDiscardingTaskGroup { group in
            for channel in channels {
                group.addTask {
                    await Listener.serve(channel, body)
                    // One socket has failed, or all are closed.
                    close()
                }
            }
        }
    }

    private static func serve(
        _ channel: NIOAsyncChannel<ServerConnection, Never>,
        _ body: @escaping @Sendable (ServerConnection) async -> Void
    ) async {
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
        for channel in channels { channel.channel.close(promise: nil) }
    }
}
