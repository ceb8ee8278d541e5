/// Where a prompt's lines come from. Used on the Lua thread.
package protocol LineSource: AnyObject {
    /// Waits for a line, and shows `prompt` where somebody types.
    ///
    /// While nothing comes it calls `client.idle()` again and again.
    func read(_ prompt: String, for client: any LineClient) -> LineInput
    /// Takes the line that is being edited out of the way of text that is written now; it is shown again after
    /// `client.idle()`.
    func makeRoom()
    /// Keeps what was entered for the next times.
    func remember(_ entry: String)
}

/// What a line source asks of the prompt.
package protocol LineClient: AnyObject {
    /// Lets the script's tasks go on.
    ///
    /// - Returns: whether there are any, so that this should be called again soon.
    func idle() -> Bool
    /// Whether the line is to be given up.
    var isInterrupted: Bool { get }
    /// What could follow the first `cursor` bytes of a line.
    func completions(of line: [UInt8]) -> Completions
}

/// What a line source got.
package enum LineInput: Equatable, Sendable {
    case line(String)
    /// The line was given up.
    case interrupted
    case end
}

/// How a word could go on.
package struct Completions: Equatable, Sendable {
    /// What all of them go on with; empty where there is nothing in common.
    package var insertion = ""
    /// The whole words.
    package var candidates: [String] = []
}
