import Synchronization
import VaultModel

/// The connections of this process to one database, each used by one request at a time.
final class PostgresPool: Sendable {
    private struct State {
        var idle: [PostgresConnection] = []
        var open = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
        var isClosed = false
    }

    /// Threads that wait for PostgreSQL's answers.
    static let executor = BlockingExecutor(threads: EngineLimits.postgresConnections)

    /// Held by what needs one connection while it holds another.
    let collecting = AsyncLock()
    private let location: String
    private let state = Mutex(State())

    /// - Parameter location: a connection string or URI of libpq.
    init(_ location: String) {
        self.location = location
    }

    /// Runs `body` with a connection. What finds its connection lost at the first word runs again with another one.
    ///
    /// - Parameter isRepeatable: whether `body` may run again after it has begun to change something: one that only
    ///   reads, or changes all in one transaction of which it is known that it did not end.
    func with<Value: Sendable>(
        isRepeatable: Bool = true, _ body: (PostgresConnection) async throws -> Value
    ) async throws(VaultError) -> Value {
        try await mappingErrors {
            try await withTaskExecutorPreference(PostgresPool.executor) {
                try await repeating(isRepeatable) { try await use(body) }
            }
        }
    }

    private func repeating<Value>(_ isRepeatable: Bool, _ body: () async throws -> Value) async throws -> Value {
        var tries = 0
        while true {
            do {
                return try await body()
            } catch let error as PostgresError {
                tries += 1
                let isWorthIt = error.isConflict ? tries < EngineLimits.conflictTriesMax : error.isLost && tries < 2
                guard isWorthIt, isRepeatable || error.isConflict || error.hadNoEffect else { throw error.vaultError }
                if error.isConflict { try await Task.sleep(for: .milliseconds(Int.random(in: 1...20) * tries)) }
            } catch {
                throw catalogError(error)
            }
        }
    }

    private func use<Value>(_ body: (PostgresConnection) async throws -> Value) async throws -> Value {
        let connection = try await take()
        do {
            let value = try await body(connection)
            giveBack(connection)
            return value
        } catch {
            giveBack(connection)
            throw error
        }
    }

    private func take() async throws -> PostgresConnection {
        while true {
            enum Step {
                case use(PostgresConnection)
                case connect
                case wait
                case closed
            }
            let step: Step = state.withLock { state in
                if state.isClosed { return .closed }
                if let connection = state.idle.popLast() { return .use(connection) }
                if state.open == EngineLimits.postgresConnections { return .wait }
                state.open += 1
                return .connect
            }
            switch step {
            case .use(let connection): return connection
            case .closed: throw VaultError(.unavailable, "The vault has been closed.")
            case .wait: await waitForChange()
            case .connect:
                do {
                    return try PostgresConnection(location)
                } catch {
                    release { $0.open -= 1 }
                    throw error
                }
            }
        }
    }

    private func waitForChange() async {
        await withCheckedContinuation { continuation in
            let mustWait = state.withLock { state in
                guard state.idle.isEmpty, state.open == EngineLimits.postgresConnections, !state.isClosed else {
                    return false
                }
                state.waiting.append(continuation)
                return true
            }
            if !mustWait { continuation.resume() }
        }
    }

    private func giveBack(_ connection: PostgresConnection) {
        release { state in
            if connection.isSound, !state.isClosed {
                state.idle.append(connection)
            } else {
                state.open -= 1
                // The others were lost with it, as a rule.
                state.open -= connection.isSound ? 0 : state.idle.count
                if !connection.isSound { state.idle = [] }
            }
        }
    }

    private func release(_ change: (inout State) -> Void) {
        let waiter = state.withLock { state in
            change(&state)
            return state.waiting.isEmpty ? nil : state.waiting.removeFirst()
        }
        waiter?.resume()
    }

    /// Ends the connections that nobody uses; the others end when they are given back.
    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            state.open -= state.idle.count
            state.idle = []
            defer { state.waiting = [] }
            return state.waiting
        }
        for waiter in waiting { waiter.resume() }
    }
}
