import LuaEngine
import VaultModel

extension VaultLibrary {
    static let files: [Binding] = [
        Binding(
            "save", "save(path [, name [, options]]) -> entry",
            "Saves one local file, or a symbolic link as what it is. A name that ends in '/' takes the file's last part.",
            options: ["tags", "progress", "if_version", "strict"]
        ) { invocation, call in
            let path = try invocation.path(call, invocation.first)
            let name = try fileName(call, invocation, path)
            let options = try invocation.options(call, 2)
            let isStrict = try options.boolean("strict") ?? false
            let (tags, ifVersion) = (try options.tags("tags"), try options.count("if_version").map(UInt64.init))
            let progress = try options.progress()
            let meter = invocation.meter(progress)
            try invocation.wait(call, progress, meter: meter) { (vault) async throws(VaultError) in
                try await FileSave(to: vault, meter: meter, isStrict: isStrict)
                    .save(path, as: name, tags: tags, ifVersion: ifVersion)
            } then: { outcome, call in
                call.returns(EntryValue.table(outcome))
            }
        },
        Binding(
            "read", "read(name, path [, options]) -> entry",
            "Writes what the vault holds under a name to a local file, complete or not at all.",
            options: ["version", "at", "progress", "overwrite"]
        ) { invocation, call in
            let name = try call.name(invocation.first)
            guard call[invocation.first + 1].ifPresent != nil else {
                throw LuaError.argument(invocation.first + 1, "a path is expected; vault.get(name) returns the content")
            }
            var path = try invocation.path(call, invocation.first + 1)
            if path.bytes.last == UInt8(ascii: "/") { path = path.appending(name.lastPathPart) }
            let target = path
            let options = try invocation.options(call, 2)
            let (selector, overwrites) = (try options.selector(), try options.boolean("overwrite") ?? true)
            let progress = try options.progress()
            let meter = invocation.meter(progress)
            let tell = invocation.session.host.tell
            try invocation.wait(call, progress, meter: meter) { (vault) async throws(VaultError) in
                try await FileRead(from: vault, meter: meter)
                    .read(name, selector, to: target, overwrites: overwrites) { tell(TreeReport.unsetText(1)) }
            } then: { entry, call in
                call.returns(EntryValue.table(entry))
            }
        },
        Binding(
            "put", "put(name, string [, options]) -> entry", "Saves a string as the content of a file.",
            options: ["tags", "if_version"]
        ) { invocation, call in
            let name = try call.name(invocation.first)
            let options = try invocation.options(call, 2)
            let intent = SaveIntent(
                name: name, attributes: Attributes(mode: 0o644, modified: currentNanoseconds()),
                tags: try options.tags("tags"), ifVersion: try options.count("if_version").map(UInt64.init))
            let bytes = try call.bytes(invocation.first + 1)
            let isBrief = bytes.count <= Limits.smallFileBytesMax
            try invocation.wait(call, isBrief: isBrief) { (vault) async throws(VaultError) in
                try await ContentSave(to: vault).save(bytes, intent)
            } then: { outcome, call in
                call.returns(EntryValue.table(outcome))
            }
        },
        Binding(
            "get", "get(name [, options]) -> string", "The content of a file as a string.",
            options: ["version", "at"]
        ) { invocation, call in
            let name = try call.name(invocation.first)
            let selector = try invocation.options(call, 1).selector()
            try invocation.wait(call, isBrief: true) { (vault) async throws(VaultError) in
                try await ContentRead(from: vault).read(name, selector)
            } then: { bytes, call in
                call.returns(bytes)
            }
        },
        Binding(
            "stat", "stat(name [, options]) -> entry or nil", "What the vault holds under a name; nil for nothing.",
            options: ["version", "at"]
        ) { invocation, call in
            let name = try call.name(invocation.first)
            let selector = try invocation.options(call, 1).selector()
            try invocation.wait(call, isBrief: true) { (vault) async throws(VaultError) in
                try await vault.stat(name, selector)
            } then: { entry, call in
                call.returns(entry.map { EntryValue.table($0) })
            }
        },
        Binding("exists", "exists(name) -> boolean", "Whether the vault holds something under a name.") {
            invocation, call in
            let name = try call.name(invocation.first)
            try invocation.wait(call, isBrief: true) { (vault) async throws(VaultError) in
                try await vault.stat(name, .current)
            } then: { entry, call in
                call.returns(entry != nil)
            }
        },
    ]

    /// The name that a save of `path` goes by: the argument, or the path's last part, or both.
    private static func fileName(
        _ call: borrowing LuaCall, _ invocation: Invocation, _ path: LocalPath
    ) throws -> Name {
        let given = try call[invocation.first + 1].ifPresent?.bytes()
        if let given, given.last != UInt8(ascii: "/") { return try Name(given) }
        let prefix = try NamePrefix(String(decoding: given ?? [], as: UTF8.self))
        let name = try prefix.name(ofPath: path.lastComponent)
        try invocation.session.derivedNames.add(name, of: path, in: invocation.vault)
        return name
    }
}
