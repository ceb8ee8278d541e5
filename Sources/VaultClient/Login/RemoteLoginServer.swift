import Synchronization
package import VaultModel
import VaultTransport

/// The servers of the network.
package struct RemoteLoginServer: LoginServer {
    package init() {}

    package func certificateChain(of url: ServerURL) async throws(VaultError) -> [[UInt8]] {
        let sight = Sight()
        // Trusting nobody, the client ends the connection once it has seen the certificates.
        let trust = ServerTrust { (chain) throws(VaultError) in
            sight.chain.withLock { $0 = chain }
            throw VaultError(.login, "\(url.place) was only looked at.")
        }
        let connector = ClientConnector(url: url, trust: trust, counter: WireCounter())
        do throws(VaultError) {
            _ = try await connector.connect(.ticket([], isControl: false)) { _ in }
            throw VaultError(.internal, "A server was trusted that was only to be looked at.")
        } catch {
            let chain = sight.chain.withLock { $0 }
            if chain.isEmpty { throw error }
            return chain
        }
    }

    package func logIn(
        to url: ServerURL, as identity: ClientIdentity, trust: ServerTrust
    ) async throws(VaultError) -> any LoginSession {
        try await RemoteVault.connect(to: url, trust: trust, as: identity)
    }
}

/// What a look at a server showed.
private final class Sight: Sendable {
    let chain = Mutex<[[UInt8]]>([])
}

extension RemoteVault: LoginSession {}
