/// How long hooks take lately, for each party.
struct HookPaces: Sendable {
    private static let partiesMax = 4096

    private var seconds: [HookParty: Double] = [:]

    /// Seconds of a run, the last ones counting most; nil where it has not run yet, or not for long.
    func seconds(of party: HookParty) -> Double? { seconds[party] }

    mutating func note(_ run: Double, of party: HookParty) {
        // Not to know costs no more than a run that is handed out alone.
        if seconds.count >= HookPaces.partiesMax, seconds[party] == nil { seconds = [:] }
        seconds[party] = seconds[party].map { ($0 + run) / 2 } ?? run
    }
}
