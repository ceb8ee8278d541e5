import FoundationEssentials
import Synchronization
package import VaultModel
package import VaultTransport
import VaultWire

/// A vault on a server.
///
/// Every operation is one request, or a few in a row; what a cut connection left unanswered is asked for
/// again, under the same ids, so that nothing is done twice. Operations may be called from any task.
package final class RemoteVault: Vault {
    /// What a client may choose for its connections.
    package struct Options: Sendable {
        /// The most bytes of content a second, either way; nil for no limit.
        package var bandwidth: BandwidthLimit?
        /// Is told when the connection is cut and taken up again.
        package var onEvent: @Sendable (SessionEvent) -> Void = { _ in }
        /// Connects to a server.
        ///
        /// - Returns: a connected socket, which is the caller's.
        package typealias Dialer = @Sendable (ServerURL) async throws(VaultError) -> Int32
        /// Connects for a process that may not; nil for one that may.
        package var dial: Dialer?

        package init() {}
    }

    package let url: ServerURL
    /// Counts the bytes that go over all connections.
    package let counter: WireCounter
    let session: any RequestCarrier
    let bandwidth: BandwidthLimit?
    let uploads = Mutex<[UploadID: RemoteUpload]>([:])
    let reads = Mutex<[ReadID: RemoteRead]>([:])
    let pace = TransferPace()

    /// Connects to a server, makes sure that it is the right one, and logs in.
    ///
    /// - Throws: `unavailable` or `timeout` where it cannot be reached, `login` where it is not trusted or
    ///   refuses the login, `denied` or `notFound` for its vault.
    package static func connect(
        to url: ServerURL, trust: ServerTrust, as identity: ClientIdentity, options: Options = Options()
    ) async throws(VaultError) -> RemoteVault {
        let counter = WireCounter()
        let session = try await ClientSession.begin(
            ClientConnector(url: url, trust: trust, counter: counter, dial: options.dial), as: identity,
            vault: url.vault ?? "",
            pace: options.bandwidth, onEvent: options.onEvent)
        return RemoteVault(url, session, counter, options)
    }

    init(_ url: ServerURL, _ session: any RequestCarrier, _ counter: WireCounter, _ options: Options) {
        self.url = url
        self.session = session
        self.counter = counter
        bandwidth = options.bandwidth
    }

    /// The user and the vault of the session, as the server names them.
    package var login: (user: String, vault: String) {
        let login = session.login
        return (login?.user ?? "", login?.vault ?? "")
    }

    /// Makes a device key known to the server, for logins without the password.
    package func enrol(publicKey: [UInt8], label: String) async throws(VaultError) {
        _ = try await ask { message in
            message.enrolKey.publicKey = Data(publicKey)
            message.enrolKey.label = label
        }
    }

    /// Who the session is at the server, and how the vault is.
    package func status() async throws(VaultError) -> RemoteStatus {
        let report = try await ask { $0.status = WireStatus() }.statusReport
        return RemoteStatus(
            user: printable(report.user), vault: printable(report.vault), storedBytes: report.storedBytes,
            quota: report.hasQuota ? report.quota : nil, grants: report.grants.map { printable($0) },
            hooks: report.hooks.map { HookStatus($0) })
    }

    package var transferBytes: Int { pace.bytes }

    package func close() async {
        session.close()
    }

    // MARK: Requests

    /// Sends a request that `fill` makes and waits for its answer.
    func ask(
        on route: ClientSession.Route = .control, content: [BufferSlice] = [], _ fill: (inout WireClientMessage) -> Void
    ) async throws(VaultError) -> WireServerMessage {
        var message = WireClientMessage()
        fill(&message)
        return try await session.perform(message, content: content, on: route).message
    }

    /// Reads an answer, which a server may have made up.
    func reading<Value>(_ body: () throws(WireViolation) -> Value) throws(VaultError) -> Value {
        do throws(WireViolation) {
            return try body()
        } catch {
            throw VaultError(error)
        }
    }
}

/// What a server tells of a session and its vault.
package struct RemoteStatus: Sendable, Hashable {
    package var user: String
    package var vault: String
    /// Bytes of chunks and list nodes.
    package var storedBytes: UInt64
    /// Nil for no limit.
    package var quota: UInt64?
    /// What the user may do, a phrase each.
    package var grants: [String]
    package var hooks: [HookStatus]
}

/// What a hook has done on a vault.
package struct HookStatus: Sendable, Hashable {
    package var place: String
    package var kind: String
    package var runs: UInt64
    package var rejections: UInt64
    package var failures: UInt64
    package var seconds: Double
    /// Of the longest run.
    package var secondsMax: Double
    package var isSuspended: Bool

    init(_ count: WireHookCount) {
        place = printable(count.place)
        kind = printable(count.kind)
        runs = count.runs
        rejections = count.rejections
        failures = count.failures
        seconds = count.seconds
        secondsMax = count.secondsMax
        isSuspended = count.suspended
    }
}
