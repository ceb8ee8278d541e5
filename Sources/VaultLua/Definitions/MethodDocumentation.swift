/// What a method of a value that `vault` gives does.
struct MethodDocumentation {
    /// `file:seek([whence [, offset]]) -> position`.
    let usage: String
    let summary: String

    /// `file.seek`.
    var name: String { String(usage.prefix { $0 != "(" }.map { $0 == ":" ? "." : $0 }) }

    static let all: [MethodDocumentation] = [
        .init(
            usage: "listing() -> entry or nil",
            summary: "The next entry, as the generic 'for' asks for it; nil at the end."),
        .init(usage: "listing:all() -> array of entries", summary: "All entries that are left."),
        .init(usage: "listing:count() -> count", summary: "Counts the entries that are left, and takes them."),
        .init(usage: "listing:peek(n) -> array of entries", summary: "The next n entries, which stay the next ones."),
        .init(usage: "listing:close()", summary: "Ends the listing."),
        .init(
            usage: "file:read([format ...]) -> values",
            summary: "Reads as io files do: 'n', 'l' (the default), 'L', 'a' or a number of bytes; nil at the end."),
        .init(usage: "file:lines([format ...]) -> iterator", summary: "Reads by the same formats until the end."),
        .init(
            usage: "file:seek([whence [, offset]]) -> position",
            summary:
                "Moves where reading goes on, counted from the beginning ('set'), from here ('cur') or the end ('end')."
        ),
        .init(usage: "file:write(value ...) -> file", summary: "Writes strings and numbers, one behind the other."),
        .init(
            usage: "file:close() -> entry or true",
            summary: "Ends reading, or saves what was written and returns its entry. A writer that is not closed saves "
                + "nothing."),
        .init(
            usage: "task:join() -> results",
            summary: "Waits for the end of the task: returns what its function returned, or raises what it raised."),
        .init(
            usage: "task:result() -> ok, ...",
            summary: "Waits likewise: returns true and the results, or false and the error."),
        .init(
            usage: "task:cancel()",
            summary: "Asks the task to end: what it waits for raises 'cancelled', and it has five seconds to clean up."),
        .init(
            usage: "task:status() -> string", summary: "One of ready, running, waiting, done, failed and cancelled."),
        .init(
            usage: "connection:close()",
            summary: "Closes a connection, whose other methods are the functions that act on a vault."),
        .init(
            usage: "event:reject([reason])",
            summary: "Refuses what a deciding hook is asked about, and tells the user why."),
        .init(usage: "event:rename(name)", summary: "Has what is to be saved saved under another name."),
        .init(usage: "event:tag(key, value)", summary: "Tags what is to be saved; false takes a tag away."),
        .init(
            usage: "event:read([n]) -> string or nil",
            summary: "The next n bytes of the event's content, nil at the end; without n all that is left."),
        .init(usage: "event:lines() -> iterator", summary: "The lines of the event's content."),
        .init(usage: "event:path() -> path", summary: "A private temporary file with the event's content."),
        .init(
            usage: "event:pipe({program, argument...} [, options]) -> {code, stdout, stderr}",
            summary: "Runs an allowed program on the event's content; 'timeout' is in seconds."),
    ]
}
