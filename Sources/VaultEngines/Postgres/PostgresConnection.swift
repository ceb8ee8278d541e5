import CPostgres
import VaultModel

/// A connection to PostgreSQL that prepares its statements and sends many of them at once.
///
/// `@unchecked Sendable`: who has taken it from its pool is the only one to use it.
final class PostgresConnection: @unchecked Sendable {
    private let handle: OpaquePointer
    private var names: [String: String] = [:]
    private var namesGiven = 0
    /// Whether it can go on being used.
    private(set) var isSound = true

    /// Connects, and makes the session plan for what a catalog asks: few rows, found by an index, however empty or
    /// full the tables are.
    ///
    /// - Parameter location: a connection string or URI of libpq.
    init(_ location: String) throws(PostgresError) {
        if let problem = cpg_load() {
            throw PostgresError(state: nil, message: "\(String(cString: problem)): install the package libpq5")
        }
        guard cpg_is_location(location) else {
            // libpq's own words would repeat it, with a password perhaps.
            throw PostgresError(state: "22023", message: "the location is not postgres://USER@HOST/DATABASE")
        }
        guard let handle = cpg_connect(location) else { throw PostgresError(state: nil, message: "no memory is left") }
        self.handle = handle
        guard cpg_is_connected(handle) else {
            let message = String(cString: cpg_message(handle))
            throw PostgresError(state: PostgresConnection.state(ofRefusal: message), message: message.trimmed)
        }
        guard cpg_server_version(handle) >= EngineLimits.postgresVersionMin else {
            throw PostgresError(state: "0A000", message: "version 15 or newer is needed")
        }
        try run(
            PostgresConnection.settings.map { setting, value in
                PostgresQuery("SELECT set_config('\(setting)', '\(value)', false)")
            })
    }

    deinit { cpg_finish(handle) }

    private static let settings = [
        ("search_path", "minivault"), ("statement_timeout", "\(EngineLimits.statementMilliseconds)"),
        // A server that freezes in the middle of a commit must not hold up the others.
        ("idle_in_transaction_session_timeout", "\(EngineLimits.idleTransactionMilliseconds)"),
        // A machine that is gone must not hold up the others either.
        ("tcp_keepalives_idle", "30"), ("tcp_keepalives_interval", "10"), ("tcp_keepalives_count", "3"),
        ("plan_cache_mode", "force_generic_plan"), ("jit", "off"), ("enable_seqscan", "off"),
        ("enable_bitmapscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off"), ("enable_sort", "off"),
        ("enable_material", "off"),
        ("client_min_messages", "error"), ("synchronous_commit", "on"),
    ]

    /// Runs statements that travel together, in their order; where one fails, those behind it are not run. Outside of
    /// a transaction they are one.
    ///
    /// - Returns: a result for each.
    @discardableResult
    func run(
        _ queries: [PostgresQuery], milliseconds: Int64 = EngineLimits.answerMilliseconds
    ) throws(PostgresError) -> [PostgresResult] {
        guard isSound else { throw PostgresError(state: nil, message: "the connection is lost") }
        var prepared: [Bool] = []
        for query in queries { prepared.append(try send(query)) }
        guard cpg_synchronize(handle) else { throw lost() }
        let deadline = cpg_now() + milliseconds
        var failure: PostgresError?
        var results: [PostgresResult] = []
        results.reserveCapacity(queries.count)
        for (index, isPrepared) in prepared.enumerated() {
            if isPrepared, try receive(deadline, &failure) == nil { names[queries[index].sql] = nil }
            if let result = try receive(deadline, &failure) { results.append(result) }
        }
        while true {
            guard let handle = try next(deadline) else { continue }
            defer { cpg_clear(handle) }
            if cpg_kind(handle) == CPGResultSync { break }
            // What only the end of a transaction finds out.
            if cpg_kind(handle) == CPGResultError { failure = failure ?? PostgresError(handle) }
        }
        if let failure {
            // Statements that are gone, or mean something else by now, are prepared anew on another connection.
            if failure.isLost || failure.state == "26000" || failure.state == "0A000" { isSound = false }
            throw failure
        }
        return results
    }

    /// Runs one statement.
    @discardableResult
    func run(_ sql: String, _ values: [PostgresValue] = []) throws(PostgresError) -> PostgresResult {
        try run([PostgresQuery(sql, values)])[0]
    }

    /// Begins a transaction that changes something, whatever the role's own settings are.
    static let beginning = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"

    /// Runs `body` in a transaction, which is rolled back where it throws.
    func transaction<Value>(
        _ beginning: String = PostgresConnection.beginning, _ body: () throws -> Value
    ) throws -> Value {
        do throws(PostgresError) {
            try run([PostgresQuery(beginning)])
        } catch {
            var error = error
            error.hadNoEffect = true
            throw error
        }
        do {
            let value = try body()
            try run([PostgresQuery("COMMIT")])
            return value
        } catch {
            rollBack()
            throw error
        }
    }

    /// Ends a transaction that is to have no effect. A connection on which that fails is of no use any more.
    func rollBack() {
        guard isSound else { return }
        do { try run([PostgresQuery("ROLLBACK")]) } catch { isSound = false }
    }

    // MARK: Sending and receiving

    /// - Returns: whether the statement had to be prepared.
    private func send(_ query: PostgresQuery) throws(PostgresError) -> Bool {
        let isNew = names[query.sql] == nil
        let name = names[query.sql] ?? "s\(namesGiven)"
        if isNew {
            namesGiven += 1
            let types = query.values.map(\.type)
            guard cpg_prepare(handle, name, query.sql, Int32(types.count), types) else { throw lost() }
            names[query.sql] = name
        }
        // All values one behind the other, so that one pin keeps them in place.
        var bytes: [UInt8] = []
        bytes.reserveCapacity(query.values.reduce(1) { $0 + ($1.bytes?.count ?? 0) })
        var starts: [Int?] = []
        for value in query.values {
            starts.append(value.bytes == nil ? nil : bytes.count)
            bytes += value.bytes ?? []
        }
        let lengths = query.values.map { Int32($0.bytes?.count ?? 0) }
        // An empty array has no address, which would be SQL's NULL.
        bytes.append(0)
        let isSent = bytes.withUnsafeBytes { memory in
            let values = starts.map { start in
                start.flatMap { memory.baseAddress?.advanced(by: $0).assumingMemoryBound(to: CChar.self) }
            }
            return cpg_execute(handle, name, Int32(values.count), values, lengths)
        }
        guard isSent else { throw lost() }
        return isNew
    }

    /// The result of the next statement; nil where it failed, or was not run since one before it failed.
    private func receive(_ deadline: Int64, _ failure: inout PostgresError?) throws(PostgresError) -> PostgresResult? {
        var received: PostgresResult?
        while let handle = try next(deadline) {
            switch cpg_kind(handle) {
            case CPGResultRows: received = PostgresResult(handle)
            case CPGResultError:
                failure = failure ?? PostgresError(handle)
                cpg_clear(handle)
            default: cpg_clear(handle)
            }
        }
        return received
    }

    /// The next result; nil at the end of those of a statement.
    private func next(_ deadline: Int64) throws(PostgresError) -> OpaquePointer? {
        var result: OpaquePointer?
        switch cpg_next(handle, deadline, &result) {
        case CPGWaitResult: return result
        case CPGWaitEnd: return nil
        case CPGWaitTimeout:
            isSound = false
            throw PostgresError(state: nil, message: "no answer came in time")
        default: throw lost()
        }
    }

    private func lost() -> PostgresError {
        isSound = false
        let message = String(cString: cpg_message(handle)).trimmed
        return PostgresError(state: nil, message: message.isEmpty ? "the connection is lost" : message)
    }

    /// libpq tells the reason of a refusal in words only, of which the server's own are known.
    private static func state(ofRefusal message: String) -> String? {
        if message.contains("too many clients") || message.contains("connection slots are reserved") { return "53300" }
        if message.contains("authentication failed") || message.contains("no password supplied") { return "28000" }
        if message.contains("database \""), message.contains("does not exist") { return "3D000" }
        if message.contains("role \""), message.contains("does not exist") { return "28000" }
        return nil
    }
}

extension PostgresError {
    fileprivate init(_ result: OpaquePointer) {
        self.init(
            state: cpg_state(result).map { String(cString: $0) } ?? "08006",
            message: String(cString: cpg_error(result)).trimmed)
    }
}

extension String {
    fileprivate var trimmed: String {
        String(self.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
