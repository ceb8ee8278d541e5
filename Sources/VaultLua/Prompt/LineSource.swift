/// The source of a prompt's entries. Used on the Lua thread.
package protocol LineSource: AnyObject {
    /// Waits for something to run, and shows `prompt` where somebody types.
    ///
    /// While nothing comes it calls `client.idle()` again and again.
    func read(_ prompt: LinePrompt, for client: any LineClient) -> LineInput
    /// Keeps what was entered for the next times.
    func remember(_ entry: [UInt8])
}

/// The texts before the lines of an entry; they may have sequences that set colours.
package struct LinePrompt: Sendable {
    package var first: [UInt8]
    /// Before each line but the first.
    package var next: [UInt8]

    package init(first: [UInt8], next: [UInt8]) {
        (self.first, self.next) = (first, next)
    }
}

/// What a line source asks of the prompt.
package protocol LineClient: AnyObject {
    /// Lets the script's tasks go on.
    ///
    /// - Returns: whether there are any, so that this should be called again soon.
    func idle() -> Bool
    /// Whether the entry is to be given up.
    var isInterrupted: Bool { get }
    /// Whether an entry goes on in another line.
    func isUnfinished(_ entry: [UInt8]) -> Bool
    /// The ways in which the text before a cursor could go on.
    func completions(of text: [UInt8]) -> Completions
}

/// The input of a line source, of any bytes.
package enum LineInput: Equatable, Sendable {
    /// A line, which may be a part of an entry.
    case line([UInt8])
    /// All lines of an entry.
    case entry([UInt8])
    /// The entry was given up.
    case interrupted
    case end
}

/// How a word could go on.
package struct Completions: Equatable, Sendable {
    /// What all of them go on with; empty where there is nothing in common.
    package var insertion: [UInt8] = []
    /// The words, as they are shown.
    package var candidates: [[UInt8]] = []
}
