/// What an option takes and does: by its name, which means the same wherever it is taken.
struct OptionDocumentation {
    /// In the notation of lua-language-server.
    let type: String
    let text: String

    init(_ type: String, _ text: String) {
        self.type = type
        self.text = text
    }

    static func of(_ option: String, in binding: Binding) -> OptionDocumentation? {
        special["\(binding.name).\(option)"] ?? common[option]
    }

    private static let common: [String: OptionDocumentation] = [
        "tags": .init("table<string, string|number>", "tags that the version gets"),
        "progress": .init(
            "fun(p: vault.progress): boolean?",
            "called at most ten times a second and once at the end with name, done, total, rate and reused; false cancels"
        ),
        "if_version": .init("integer", "fails with 'conflict' unless the name is at this version; 0: must not exist"),
        "version": .init("integer", "this version instead of the newest"),
        "at": .init(
            "integer|string",
            "the state as of this time: seconds since 1970 UTC, or '2026-11-29 16:39', '16:39', '12h' (ago)"),
        "overwrite": .init("boolean", "whether files may be replaced (true); where not, they fail with 'exists'"),
        "versions": .init("boolean", "all versions instead of what the names hold (false)"),
        "after": .init("string", "begins behind this name"),
        "limit": .init("integer", "the most entries that are given"),
        "include": .init("string|string[]", "only what one of these patterns matches, by gitignore's rules"),
        "exclude": .init("string|string[]", "not what one of these patterns matches, by gitignore's rules"),
        "delete": .init("boolean", "whether to remove what the source does not have (false)"),
        "dry_run": .init("boolean", "only reports what would be done (false)"),
        "max_delete": .init("integer", "more removals than these fail with 'conflict', before any"),
        "checksum": .init("boolean", "compares content instead of trusting sizes and times (false)"),
        "concurrency": .init("integer", "how many are dealt with at once (8)"),
        "on_error": .init(
            "fun(path: string, err: vault.error): boolean?", "called for each failure; true accepts it"),
        "sample": .init("number|string", "the share of the chunks to look at: 0.05, or '5%' (1)"),
        "strict": .init("boolean", "fails with 'conflict' for a file that keeps changing while it is read (false)"),
        "last": .init("integer", "keeps so many newest versions"),
        "daily": .init("integer", "keeps the newest version of each of so many days that have one"),
        "weekly": .init("integer", "keeps the newest version of each of so many weeks that have one"),
        "monthly": .init("integer", "keeps the newest version of each of so many months that have one"),
        "within": .init("number|string", "keeps what is younger: seconds, or '90m', '12h', '30d' or '8w'"),
        "zone": .init("string", "the time zone of days, weeks and months, such as 'Europe/Berlin' (UTC)"),
        "stdin": .init("string", "what the program reads (nothing)"),
        "cwd": .init(
            "string", "the directory that the program begins in, from which its path counts (that of the script)"),
        "env": .init(
            "table<string, string|number|false>", "variables that are added or replaced; false takes one away"),
        "timeout": .init(
            "number|string",
            "seconds, or '90s', '10m', after which the program and what it has started are ended, and 'timeout' raised"),
    ]

    private static let special: [String: OptionDocumentation] = [
        "list.tags": .init("table<string, string|number>", "only entries that have these tags"),
        "on.match": .init("string", "only events whose name matches this pattern, by gitignore's rules"),
        "on.priority": .init("number", "higher ones run first (0)"),
        "on.timeout": .init(
            "number|string", "seconds, or '90s', '10m', after which the worker is killed (2 deciding, 60 telling)"),
        "on.on_error": .init(
            "\"accept\"|\"reject\"", "what an error or a missed deadline of a deciding hook means (reject)"),
        "on.from_hooks": .init("boolean", "whether it also hears of what hooks do (false)"),
        "every.timeout": .init("number|string", "seconds, or '90s', '10m', after which the worker is killed (60)"),
        "map.concurrency": .init("integer", "how many calls run at once (8)"),
        "map.on_error": .init("fun(element: any, err: any): boolean?", "called for each failure; true accepts it"),
    ]
}
