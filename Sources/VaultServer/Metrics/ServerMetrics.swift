import VaultModel
import VaultStore

/// What a server tells monitoring.
struct ServerMetrics {
    private let services: ServerServices
    private var text = ""

    init(_ services: ServerServices) {
        self.services = services
    }

    /// The metrics in the text format of Prometheus ("Exposition formats", version 0.0.4).
    static func text(_ services: ServerServices) async -> String {
        var metrics = ServerMetrics(services)
        metrics.add("minivault_connections", "gauge", "Open connections.", [([], Double(services.connections.count))])
        metrics.add("minivault_sessions", "gauge", "Sessions.", [([], Double(services.sessions.all.count))])
        if let pool = services.hooks.value {
            metrics.addHooks(pool)
            await metrics.addOutboxes()
        }
        return metrics.text
    }

    private typealias Sample = (labels: [(String, String)], value: Double)

    private mutating func add(_ name: String, _ type: String, _ help: String, _ samples: [Sample]) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
        for sample in samples {
            let labels = sample.labels.map { "\($0.0)=\"\(ServerMetrics.escaped($0.1))\"" }.joined(separator: ",")
            let value = Int(exactly: sample.value).map { "\($0)" } ?? "\(sample.value)"
            text += "\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(value)\n"
        }
    }

    private mutating func addHooks(_ pool: HookPool) {
        let counts = pool.counts.all()
        func samples(_ value: (HookCounts.Count) -> Double) -> [Sample] {
            counts.map { ([("hook", $0.series), ("event", $0.kind.rawValue)], value($0)) }
        }
        add("minivault_hook_runs_total", "counter", "Runs of a hook.", samples { Double($0.runs) })
        add(
            "minivault_hook_rejections_total", "counter", "What a hook has rejected.", samples { Double($0.rejections) }
        )
        add("minivault_hook_failures_total", "counter", "Runs of a hook that failed.", samples { Double($0.failures) })
        add("minivault_hook_seconds_total", "counter", "Time in a hook.", samples(\.seconds))
        add("minivault_hook_seconds_max", "gauge", "The longest run of a hook.", samples(\.secondsMax))
        add(
            "minivault_hook_suspended", "gauge", "Whether a hook rests, since it kept failing.",
            samples { $0.isSuspended ? 1 : 0 })
        add("minivault_hook_workers", "gauge", "Processes in which hooks run.", [([], Double(pool.workerCount))])
    }

    private mutating func addOutboxes() async {
        var samples: [Sample] = []
        for host in services.hosts.all.sorted(by: { $0.name < $1.name }) {
            guard let counts = try? await host.local.outboxCounts() else { continue }
            samples.append(([("vault", host.name), ("state", "waiting")], Double(counts.waiting)))
            samples.append(([("vault", host.name), ("state", "failed")], Double(counts.failed)))
        }
        add("minivault_outbox_events", "gauge", "Events that hooks are to be told, or could not be told of.", samples)
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in printable(text) {
            if character == "\\" || character == "\"" { result += "\\" }
            result.append(character)
        }
        return result
    }
}
