import NIOCore
import NIOPosix
import NIOSSL
import VaultModel
import VaultServer

/// A man in the middle: shows clients a certificate of its own, and passes all that they say on to the server.
package final class Interceptor: Sendable {
    private typealias Bytes = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private let listener: NIOAsyncChannel<Bytes, Never>

    package var port: Int { listener.channel.localAddress?.port ?? 0 }

    package init(upstream: Int, directory: TemporaryDirectory) async throws {
        let certificate = try ServerCertificate.loadOrMake(in: directory.path)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: [.certificate(try NIOSSLCertificate(bytes: certificate.chain[0], format: .der))],
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(certificate.keyPEM.utf8), format: .pem)))
        configuration.applicationProtocols = ["minivault/1"]
        let shown = try NIOSSLContext(configuration: configuration)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: shown))
                    return try Bytes(wrappingChannelSynchronously: channel)
                }
            }
        self.listener = listener
        Task(executorPreference: BlockingExecutor.shared) {
            _ = try? await listener.executeThenClose { clients in
                try await withThrowingDiscardingTaskGroup { group in
                    for try await client in clients {
                        group.addTask { try? await Interceptor.pass(client, to: upstream) }
                    }
                    group.cancelAll()
                }
            }
        }
    }

    /// Ends the connections, after those that have been accepted but not begun.
    package func close() {
        listener.channel.close(promise: nil)
    }

    private static func pass(_ client: Bytes, to upstream: Int) async throws {
        // Within it, since a channel that is never executed may not be dropped.
        try await client.executeThenClose { fromClient, toClient in
            let server = try await connect(to: upstream)
            try await server.executeThenClose { fromServer, toServer in
                await withTaskGroup(of: Void.self) { group in
                    group.addTask {
                        do { for try await bytes in fromClient { try await toServer.write(bytes) } } catch {}
                    }
                    group.addTask {
                        do { for try await bytes in fromServer { try await toClient.write(bytes) } } catch {}
                    }
                    await group.next()
                    group.cancelAll()
                }
            }
        }
    }

    private static func connect(to upstream: Int) async throws -> Bytes {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.applicationProtocols = ["minivault/1"]
        let context = try NIOSSLContext(configuration: configuration)
        return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: upstream) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLClientHandler(context: context, serverHostname: nil))
                    return try Bytes(wrappingChannelSynchronously: channel)
                }
            }
    }
}
