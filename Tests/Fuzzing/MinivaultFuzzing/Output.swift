/// Stands in for the program's output: `Format.swift` beside this file is the program's own, compiled once more, since
/// only tests can be linked with a program.
enum Output {
    /// Whether lines are for a terminal, as the task that makes them has it.
    @TaskLocal static var isTerminal = false
}
