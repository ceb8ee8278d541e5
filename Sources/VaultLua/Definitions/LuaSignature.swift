/// What `Binding.usage` says, as types: the parameters and results of each function for editors and checkers.
struct LuaSignature {
    struct Parameter: Equatable {
        var name: String
        var type: String
        var isOptional: Bool
    }

    var parameters: [Parameter] = []
    var result: String?

    /// - Parameter binding: whose usage is read: `save(path [, name [, options]]) -> entry`.
    init(_ binding: Binding) {
        let usage = binding.usage
        guard let open = usage.firstIndex(of: "(") else { return }
        var close = usage.endIndex
        if let arrow = usage.firstRange(of: ") -> ") {
            close = arrow.lowerBound
            result = LuaSignature.results[String(usage[arrow.upperBound...])] ?? "any"
        } else if let last = usage.lastIndex(of: ")") {
            close = last
        }
        var (depth, word, isWithinTable) = (0, "", false)
        func end() {
            let text = word.filter { $0 != " " && $0 != "[" && $0 != "]" }
            word = ""
            if text.isEmpty { return }
            let isOptional = depth > 0 || text == "options" && binding.optionsAreOptional
            parameters.append(LuaSignature.parameter(text, of: binding, isOptional: isOptional))
        }
        for character in usage[usage.index(after: open)..<close] {
            switch character {
            case "{": isWithinTable = true
            case "}": isWithinTable = false
            default: break
            }
            if isWithinTable {
                word.append(character)
                continue
            }
            switch character {
            case "[":
                // "a [, b]" begins what is optional behind a, "[a" before it.
                end()
                depth += 1
            case "]":
                end()
                depth -= 1
            case ",": end()
            default: word.append(character)
            }
        }
        end()
    }

    private static func parameter(_ text: String, of binding: Binding, isOptional: Bool) -> Parameter {
        if text == "options" || text == "opts" {
            return Parameter(name: "options", type: "vault.\(binding.name).options", isOptional: isOptional)
        }
        if text == "..." { return Parameter(name: "...", type: "any", isOptional: false) }
        if text.hasPrefix("{program") { return Parameter(name: "argv", type: "string[]", isOptional: false) }
        if text.hasPrefix("{key") {
            return Parameter(name: "tags", type: "table<string, string|number|false>", isOptional: false)
        }
        if text.hasPrefix("\"") {
            let name = binding.name == "open" ? "mode" : "kind"
            return Parameter(name: name, type: text, isOptional: true)
        }
        if text == "list|iterator" {
            return Parameter(name: "list", type: "any[]|vault.listing|fun(): any", isOptional: false)
        }
        return Parameter(name: text, type: parameters[text] ?? "any", isOptional: isOptional)
    }

    private static let parameters: [String: String] = [
        "path": "string", "name": "string", "prefix": "string", "dir": "string", "glob": "string", "url": "string",
        "string": "string", "text": "string", "message": "string", "version": "integer", "seconds": "number|string",
        "table": "table", "f": "fun(...: any): any", "connection": "vault.connection", "tasks": "vault.task[]",
        "value": "any",
        "event": "string", "interval": "string|table", "key": "string", "n": "number", "id": "string",
    ]

    /// By the names of parameters that mean something else in one function.
    static func type(of parameter: Parameter, in binding: Binding) -> String {
        switch (binding.name, parameter.name) {
        case ("replicate", "from"), ("replicate", "to"): "vault.connection|vaultlib"
        case ("rename", _), ("copy", _): "string"
        case ("on", "f"), ("every", "f"): "fun(event: vault.event): any"
        default: parameter.type
        }
    }

    private static let results: [String: String] = [
        "entry": "vault.entry", "entry or nil": "vault.entry?", "listing": "vault.listing", "file": "vault.file",
        "count": "integer", "boolean": "boolean", "string": "string", "value": "any", "value or nil": "any",
        "number": "number", "report": "vault.report",
        "array of entries": "vault.entry[]", "connection": "vault.connection", "task": "vault.task",
        "results": "any[]", "results of f": "any",
        "iterator of {name, change}": "fun(): {name: string, change: \"added\"|\"changed\"|\"removed\"}?",
        "iterator of {path, name, kind, size, mode, modified_at}": "fun(): vault.local_file?",
        "{code, stdout, stderr}": "{code: integer, stdout: string, stderr: string}", "table": "table",
    ]
}

extension Binding {
    /// `keep(prefix, options)` cannot do without.
    fileprivate var optionsAreOptional: Bool { !usage.contains(", options)") }
}
