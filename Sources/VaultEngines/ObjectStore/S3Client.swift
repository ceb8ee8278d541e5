import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization
package import VaultModel

/// Asks an object store, signs what it asks, and tries again what failed on the way.
///
/// Every request may be repeated: an object is stored under its key with the same bytes, or read, or removed. A timeout, a
/// lost connection and an answer from 500 on leave open what has happened.
package final class S3Client: Sendable {
    struct Request: Sendable {
        var method: HTTPMethod
        var key = ""
        var query: [(String, String)] = []
        var headers: [(String, String)] = []
        var body = S3Body.empty
    }

    struct Answer: Sendable {
        var status: Int
        var headers: HTTPHeaders
        /// Empty where it went into memory.
        var body: [UInt8]
        /// Bytes that went into memory.
        var count = 0
        /// How often the request was sent before, without its outcome being known.
        var unknownOutcomes = 0

        var document: S3Document { S3Document(String(decoding: body, as: UTF8.self)) }
    }

    /// What came instead of the answer that was wanted.
    private enum Failure: Error, Sendable {
        /// It is not known what has happened.
        case unknown(String)
        case refused(VaultError)
        /// The store has another time.
        case skewed
        /// The credentials have run out, or are no longer known.
        case expired(VaultError)
    }

    let location: S3Location
    private let http: HTTPClient
    private let clock: @Sendable () -> Int64
    /// Seconds that the store's clock is ahead of this machine's.
    private let skew = Mutex<Int64>(0)
    private let credentials: Mutex<S3Credentials>

    package init(_ location: S3Location, clock: @escaping @Sendable () -> Int64) throws(VaultError) {
        self.location = location
        self.clock = clock
        credentials = Mutex(location.credentials)
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.timeout.connect = .seconds(EngineLimits.connectSeconds)
        configuration.timeout.read = .seconds(EngineLimits.idleSeconds)
        configuration.timeout.write = .seconds(EngineLimits.idleSeconds)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = EngineLimits.storeConnections
        if let authorities = location.authorities {
            var tls = TLSConfiguration.makeClientConfiguration()
            do {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile("\(authorities)"))
            } catch {
                throw VaultError(
                    .invalid, "'\(authorities)' has no certificates in PEM.", path: authorities, cause: "\(error)")
            }
            configuration.tlsConfiguration = tls
        }
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    package func close() async { try? await http.shutdown() }

    deinit {
        // Of one that was closed this does nothing.
        http.shutdown { _ in }
    }

    /// Sends a request until it is answered.
    ///
    /// - Parameters:
    ///   - memory: where the content goes that is answered; it must not go away meanwhile.
    ///   - accepted: statuses besides those of success that are an answer too.
    /// - Throws: `unavailable` where no answer came in time, `denied`, `quota`, `notFound`, and what else the store
    ///   refuses with.
    func perform(
        _ request: Request, into memory: UnsafeMutableRawBufferPointer? = nil, accepting accepted: Set<Int> = []
    ) async throws(VaultError) -> Answer {
        let deadline = ContinuousClock.now + .seconds(EngineLimits.storeSecondsMax)
        var tries = 0
        var unknownOutcomes = 0
        var isRenewed = false
        nonisolated(unsafe) let memory = memory
        while true {
            if Task.isCancelled { throw .cancelled }
            var reason: String
            do throws(Failure) {
                var answer = try await send(request, into: memory, accepting: accepted)
                answer.unknownOutcomes = unknownOutcomes
                return answer
            } catch {
                switch error {
                case .refused(let error): throw error
                case .expired(let error):
                    guard !isRenewed, renewCredentials() else { throw error }
                    isRenewed = true
                    continue
                case .skewed:
                    if tries > 2 { throw VaultError(.denied, "The object store's clock and this machine's differ.") }
                    tries += 1
                    continue
                case .unknown(let text): reason = text
                }
            }
            unknownOutcomes += 1
            tries += 1
            let delay = Duration.milliseconds(Int.random(in: 50...100) << min(tries, 6))
            if .now + delay > deadline {
                throw VaultError(
                    .unavailable, "The object store does not answer.", cause: printable(reason), isRetryable: true)
            }
            do { try await Task.sleep(for: delay) } catch { throw .cancelled }
        }
    }

    private func send(
        _ request: Request, into memory: UnsafeMutableRawBufferPointer?, accepting accepted: Set<Int>
    ) async throws(Failure) -> Answer {
        let path = location.path(request.key)
        let signature = S3Signature(credentials: credentials.withLock { $0 }, region: location.region)
        let headers = signature.headers(
            request.method.rawValue, path: path, query: request.query,
            headers: [("host", location.requestHost)] + request.headers, payload: request.body.digest,
            time: clock() + skew.withLock { $0 })
        let query = S3Signature.canonicalQuery(request.query)
        var message = HTTPClientRequest(
            url: "\(location.scheme)://\(location.requestHost)\(S3Signature.encode(path, keepsSlash: true))"
                + (query.isEmpty ? "" : "?\(query)"))
        message.method = request.method
        for (name, value) in headers where name != "host" { message.headers.add(name: name, value: value) }
        message.body = request.body.request
        let patience = EngineLimits.idleSeconds + Int64(request.body.count / EngineLimits.slowestBytesASecond)
        nonisolated(unsafe) let memory = memory
        do {
            let response = try await http.execute(message, timeout: .seconds(patience))
            let status = Int(response.status.code)
            noteTime(response.headers)
            if let memory, status == 200 || status == 206 {
                let start = request.headers.first { $0.0 == "range" }?.1
                if status == 200, let start, !start.hasPrefix("bytes=0-") {
                    throw Failure.refused(
                        VaultError(.internal, "The object store answers with more than was asked for."))
                }
                var count = 0
                for try await buffer in response.body {
                    let length = min(buffer.readableBytes, memory.count - count)
                    buffer.withUnsafeReadableBytes { bytes in
                        UnsafeMutableRawBufferPointer(rebasing: memory[count..<count + length])
                            .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<length]))
                    }
                    count += length
                }
                return Answer(status: status, headers: response.headers, body: [], count: count)
            }
            var body = try await response.body.collect(upTo: EngineLimits.documentBytesMax)
            let answer = Answer(
                status: status, headers: response.headers,
                body: body.readBytes(length: body.readableBytes) ?? [])
            if (200..<300).contains(status) || accepted.contains(status) { return answer }
            throw refusal(answer, request)
        } catch let failure as Failure {
            throw failure
        } catch is CancellationError {
            throw .refused(.cancelled)
        } catch {
            throw .unknown("\(error)")
        }
    }

    private func refusal(_ answer: Answer, _ request: Request) -> Failure {
        let code = answer.document.first("Code") ?? ""
        let cause = "HTTP \(answer.status) \(printable(code))"
        if code == "RequestTimeTooSkewed" { return .skewed }
        if answer.status >= 500 || [408, 429].contains(answer.status) || ["SlowDown", "RequestTimeout"].contains(code) {
            return .unknown(cause)
        }
        if ["ExpiredToken", "InvalidToken", "InvalidAccessKeyId", "TokenRefreshRequired"].contains(code) {
            return .expired(VaultError(.denied, "The object store refuses the credentials.", cause: cause))
        }
        switch (answer.status, code) {
        case (_, "QuotaExceeded"), (_, "EntityTooLarge"):
            return .refused(VaultError(.quota, "The object store has no room left.", cause: cause))
        case (_, "NoSuchBucket"):
            return .refused(VaultError(.unavailable, "The object store has no such bucket.", cause: cause))
        case (404, _):
            return .refused(VaultError(.notFound, "The object store has no '\(request.key)'.", cause: cause))
        case (401, _), (403, _):
            return .refused(VaultError(.denied, "The object store refuses the credentials.", cause: cause))
        default:
            return .refused(VaultError(.internal, "The object store refused a request.", cause: cause))
        }
    }

    /// Looks whether there are other credentials by now, such as a file that is written anew before they run out.
    private func renewCredentials() -> Bool {
        guard let found = try? location.environment.findCredentials() else { return false }
        return credentials.withLock { credentials in
            defer { credentials = found }
            return credentials != found
        }
    }

    /// Follows the store's clock where it is far from this machine's: the store refuses what was signed at another time.
    private func noteTime(_ headers: HTTPHeaders) {
        guard let text = headers.first(name: "date"), let time = S3Time.seconds(http: text) else { return }
        let difference = time - clock()
        skew.withLock { skew in skew = abs(difference) > EngineLimits.skewSecondsMax ? difference : 0 }
    }
}
