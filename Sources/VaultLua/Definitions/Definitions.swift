/// What editors and checkers are told of the module, from the table of bindings.
package enum Definitions {
    // MARK: lua-language-server

    /// A definition file in the annotations of lua-language-server (LuaCATS).
    package static var luaCATS: String {
        var text = "---@meta vault\n\n" + classes + "\n"
        for binding in VaultLibrary.bindings where !binding.options.isEmpty {
            text += "---@class vault.\(binding.name).options\n"
            for option in binding.options {
                let documentation = OptionDocumentation.of(option, in: binding)
                text += "---@field \(option)? \(documentation?.type ?? "any") \(documentation?.text ?? "")\n"
            }
            text += "\n"
        }
        text += "---@class vaultlib\n---@field version string\nvault = {}\n\n"
        var tables: Set<String> = []
        for binding in VaultLibrary.bindings {
            let parts = binding.name.split(separator: ".").map(String.init)
            if parts.count > 1, tables.insert(parts[0]).inserted { text += "vault.\(parts[0]) = {}\n\n" }
            text += function(binding, named: "vault." + binding.name)
        }
        text += "---@class vault.connection\nlocal connection = {}\n\n"
        for binding in VaultLibrary.bindings where binding.actsOnVault {
            text += function(binding, named: "connection:" + binding.name)
        }
        text += "--- Closes the vault.\nfunction connection:close() end\n\nreturn vault\n"
        return text
    }

    private static func function(_ binding: Binding, named name: String) -> String {
        let signature = LuaSignature(binding)
        var text = "--- \(binding.summary)\n"
        for parameter in signature.parameters {
            let mark = parameter.isOptional ? "?" : ""
            text += "---@param \(parameter.name)\(mark) \(LuaSignature.type(of: parameter, in: binding))\n"
        }
        if let result = signature.result {
            text += "---@return \(result)\(binding.usage.hasSuffix("results of f") ? " ..." : "")\n"
        }
        // A parameter that may be left out stands before one that may not.
        if let last = signature.parameters.lastIndex(where: { !$0.isOptional }),
            signature.parameters[..<last].contains(where: \.isOptional)
        {
            let needed = signature.parameters.filter { !$0.isOptional }.map { parameter in
                "\(parameter.name): \(LuaSignature.type(of: parameter, in: binding))"
            }
            text += "---@overload fun(\(needed.joined(separator: ", ")))\n"
        }
        let names = signature.parameters.map(\.name).joined(separator: ", ")
        return text + "function \(name)(\(names)) end\n\n"
    }

    private static let classes = """
        --- What a name holds.
        ---@class vault.entry
        ---@field name string
        ---@field kind "file"|"link"|"directory"|"removed"
        ---@field size integer
        ---@field digest? string
        ---@field version? integer
        ---@field sequence? integer
        ---@field mode integer
        ---@field saved_at? integer
        ---@field modified_at integer
        ---@field saved_by? string
        ---@field tags table<string, string>
        ---@field new_bytes? integer
        ---@field created? boolean

        --- What a function of the vault raises.
        ---@class vault.error
        ---@field code "not_found"|"exists"|"denied"|"login"|"invalid"|"conflict"|"quota"|"rejected"|"integrity"|"unavailable"|"timeout"|"cancelled"|"internal"
        ---@field message string
        ---@field operation string
        ---@field name? string
        ---@field path? string
        ---@field cause? string
        ---@field traceback? string
        ---@field retryable boolean
        ---@field uncertain boolean
        ---@field report? vault.report

        --- What became of many files; verify, keep and gc have fields of their own.
        ---@class vault.report
        ---@field saved? integer
        ---@field skipped? integer
        ---@field removed? integer
        ---@field bytes? integer
        ---@field new_bytes? integer
        ---@field failed? {path: string, code: string, message: string}[]
        ---@field unmatched? string[]
        ---@field kept? integer
        ---@field dropped? integer
        ---@field forgotten? integer
        ---@field rejected? integer
        ---@field rejections? {name?: string, code: string, message: string}[]
        ---@field removed_chunks? integer
        ---@field freed_bytes? integer
        ---@field kept_bytes? integer
        ---@field changed_packs? integer
        ---@field retained? vault.retained[]
        ---@field checked_chunks? integer
        ---@field checked_bytes? integer
        ---@field damaged_chunks? integer
        ---@field damaged? {name: string, version: integer}[]
        ---@field problems? string[]
        ---@field clean? boolean

        --- Content that no version needs and that gc had to keep: for unfinished uploads, for reads that began before it was
        --- dropped, in packs of which too little is unused, in packs that are written to. Without 'ends_at', nobody knows
        --- when it is given back.
        ---@class vault.retained
        ---@field reason "uploads"|"reads"|"packs"|"writing"
        ---@field count integer
        ---@field bytes integer
        ---@field ends_at? integer

        ---@class vault.progress
        ---@field name? string
        ---@field done integer
        ---@field total? integer
        ---@field rate number
        ---@field reused integer

        ---@class vault.local_file
        ---@field path string
        ---@field name string
        ---@field kind string
        ---@field size integer
        ---@field mode integer
        ---@field modified_at integer

        --- Entries, for a generic 'for'.
        ---@class vault.listing
        ---@operator call: vault.entry?
        local listing = {}
        ---@return vault.entry[]
        function listing:all() end
        ---@return integer
        function listing:count() end
        ---@param n integer
        ---@return vault.entry[]
        function listing:peek(n) end
        function listing:close() end

        --- A file of the vault that is open for reading or writing.
        ---@class vault.file
        local file = {}
        ---@param ... string|integer
        ---@return any ...
        function file:read(...) end
        ---@param ... string|integer
        ---@return fun(): any
        function file:lines(...) end
        ---@param whence? "set"|"cur"|"end"
        ---@param offset? integer
        ---@return integer
        function file:seek(whence, offset) end
        ---@param ... string|number
        ---@return vault.file
        function file:write(...) end
        ---@return vault.entry|true
        function file:close() end

        --- What a hook is asked about or told of.
        ---@class vault.event
        ---@field id string
        ---@field kind "before_save"|"before_read"|"before_remove"|"login"|"save"|"read"|"remove"|"rename"|"every"
        ---@field name? string
        ---@field from? string
        ---@field size? integer
        ---@field digest? string
        ---@field version? integer
        ---@field previous? vault.entry
        ---@field user string
        ---@field peer string
        ---@field time integer
        ---@field tags? table<string, string>
        ---@field attempt integer
        ---@field vault string
        ---@field entry? vault.entry
        local event = {}
        ---@param reason? string
        function event:reject(reason) end
        ---@param name string
        function event:rename(name) end
        ---@param key string
        ---@param value string|number|false|nil
        function event:tag(key, value) end
        ---@param n? integer
        ---@return string?
        function event:read(n) end
        ---@return fun(): string?
        function event:lines() end
        ---@return string
        function event:path() end
        ---@param words string[]
        ---@param options? {timeout?: number|string}
        ---@return {code: integer, stdout: string, stderr: string}
        function event:pipe(words, options) end

        --- A function that runs beside others.
        ---@class vault.task
        local task = {}
        --- Waits for the end, and returns what the function returned or raises what it raised.
        ---@return any ...
        function task:join() end
        --- Waits for the end, and returns true and the results, or false and the error.
        ---@return boolean, any ...
        function task:result() end
        function task:cancel() end
        ---@return "ready"|"running"|"waiting"|"done"|"failed"|"cancelled"
        function task:status() end

        """

    // MARK: luacheck

    /// A standard for luacheck, to be assigned in a .luacheckrc: `stds.minivault = ...`.
    package static var luacheck: String {
        var fields = [String: Set<String>]()
        for binding in VaultLibrary.bindings {
            let parts = binding.name.split(separator: ".").map(String.init)
            fields[parts[0], default: []].formUnion(parts.dropFirst())
        }
        fields["version"] = []
        var text = "stds.minivault = {\n  read_globals = {\n    vault = {\n      fields = {\n"
        for (name, inner) in fields.sorted(by: { $0.key < $1.key }) {
            let list = inner.sorted().map { "\($0) = {}" }.joined(separator: ", ")
            text += "        \(name) = {\(inner.isEmpty ? "" : "fields = {\(list)}")},\n"
        }
        return text + "      },\n    },\n  },\n}\n"
    }

    // MARK: For people

    /// The reference of all functions, as an article.
    package static var reference: String {
        var text =
            "# Reference\n\nEvery function of `vault`, what it takes and what it gives. <doc:Scripts> says what holds for all.\n"
        for (title, bindings) in VaultLibrary.sections {
            text += "\n## \(title)\n"
            for binding in bindings {
                text += "\n### `vault.\(binding.usage)`\n\n\(binding.summary)\n"
                if !binding.options.isEmpty {
                    text += "\n"
                    for option in binding.options {
                        text += "- `\(option)`: \(OptionDocumentation.of(option, in: binding)?.text ?? "").\n"
                    }
                }
            }
        }
        text += "\n## Methods\n"
        for method in MethodDocumentation.all { text += "\n### `\(method.usage)`\n\n\(method.summary)\n" }
        return text
    }

    /// The tutorial, what holds for all functions and for hooks, and the reference, one behind the other.
    package static var handbook: String {
        [
            String(decoding: PackageResources.Tutorial_md, as: UTF8.self),
            String(decoding: PackageResources.Scripts_md, as: UTF8.self),
            String(decoding: PackageResources.Hooks_md, as: UTF8.self), reference,
        ].joined(separator: "\n")
    }
}
