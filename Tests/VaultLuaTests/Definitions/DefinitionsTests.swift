import Foundation
import LuaEngine
import Testing

@testable import VaultLua

@Suite struct DefinitionsTests {
    private func lines(_ text: String, startingWith prefix: String) -> Set<String> {
        Set(text.split(separator: "\n").filter { $0.hasPrefix(prefix) }.map(String.init))
    }

    /// The names of all functions that `value`, the module or a table in it, has at run time.
    private static let names = #"""
        local function names(value, prefix)
          local list = {}
          for key, field in pairs(value) do
            if type(field) == "function" then list[#list + 1] = prefix .. key end
            if type(field) == "table" then
              for _, name in ipairs(names(field, prefix .. key .. ".")) do list[#list + 1] = name end
            end
          end
          table.sort(list)
          return list
        end
        """#

    private func run(_ expression: String) async throws -> Set<String> {
        let directory = TemporaryDirectory()
        let log = LogLines()
        await script(
            DefinitionsTests.names
                + "\nfor _, name in ipairs(\(expression)) do vault.log.info(name) end", in: directory, log: log)
        return Set(log.all.map { String($0.dropFirst("info: ".count)) })
    }

    @Test func nameWhatIsRegisteredAndNothingElse() async throws {
        let module = try await run("names(vault, '')")
        #expect(module.count > 40)
        #expect(module == Set(VaultLibrary.bindings.map(\.name)))
        let connection = try await run("names(getmetatable(vault.connect(tmp .. '/c')).__index, '')")
        #expect(connection == Set(VaultLibrary.bindings.filter(\.actsOnVault).map(\.name) + ["close"]))
        let text = Definitions.luaCATS
        func defined(_ prefix: String) -> Set<String> {
            Set(
                lines(text, startingWith: "function " + prefix).map { line in
                    String(line.dropFirst("function ".count + prefix.count).prefix { $0 != "(" })
                })
        }
        #expect(defined("vault.") == module)
        #expect(defined("connection:") == connection)
        #expect(defined("task:") == Set(try await run("names(getmetatable(vault.spawn(print)).__index, '')")))
        let file = try await run("names(getmetatable(vault.open('w', 'w')).__index, '')")
        #expect(defined("file:") == file)
        let listing = try await run("names(getmetatable(vault.list()).__methods, '')")
        #expect(defined("listing:") == listing)
        // What is told of methods.
        let told = MethodDocumentation.all.map(\.name)
        for (type, methods) in [("task", defined("task:")), ("file", file), ("listing", listing)] {
            let named = told.filter { $0.hasPrefix(type + ".") }.map { String($0.dropFirst(type.count + 1)) }
            #expect(Set(named) == methods)
        }
    }

    @Test func giveEveryParameterAndOptionAType() {
        let text = Definitions.luaCATS
        for line in text.split(separator: "\n") where line.hasPrefix("---@param") || line.hasPrefix("---@field") {
            let words = line.split(separator: " ", maxSplits: 2)
            #expect(words.count == 3, "\(line)")
        }
        for binding in VaultLibrary.bindings {
            #expect(!binding.summary.isEmpty && binding.usage.hasPrefix(binding.name + "("), "\(binding.name)")
            let signature = LuaSignature(binding)
            #expect(binding.usage.contains("->") == (signature.result != nil), "\(binding.name)")
            let isAnything = ["json.decode", "with", "timeout", "kv.get", "kv.update"].contains(binding.name)
            #expect(signature.result != "any" || isAnything, "\(binding.name)")
            for option in binding.options { #expect(OptionDocumentation.of(option, in: binding) != nil, "\(option)") }
            for parameter in signature.parameters where LuaSignature.type(of: parameter, in: binding) == "any" {
                #expect(["...", "value"].contains(parameter.name), "\(binding.name): \(parameter.name)")
            }
        }
    }

    @Test func areLua() async throws {
        let texts = [Definitions.luaCATS, Definitions.luacheck]
        for text in texts {
            let isLoaded = try await LuaThread.run { () throws -> Bool in
                let state = try LuaState()
                defer { state.close() }
                try state.run("stds = {}")
                try state.run(text, name: "=definitions")
                return true
            }
            #expect(isLoaded)
        }
    }

    private static let articles = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Sources/VaultLua/Documentation.docc").path

    /// After a change of the bindings: `minivault lua-definitions --reference > Reference.md`.
    @Test func agreeWithTheReference() throws {
        let stored = try String(contentsOfFile: DefinitionsTests.articles + "/Reference.md", encoding: .utf8)
        #expect(stored == Definitions.reference, "the article is not what the table of bindings says")
    }

    /// What the articles show compiles, at least.
    @Test(arguments: ["Tutorial.md", "Scripts.md"]) func showCodeThatCompiles(article: String) async throws {
        let text = try String(contentsOfFile: DefinitionsTests.articles + "/" + article, encoding: .utf8)
        let blocks = text.components(separatedBy: "```lua\n").dropFirst().map { $0.components(separatedBy: "```")[0] }
        #expect(blocks.count >= 3)
        try await LuaThread.run {
            let state = try LuaState()
            defer { state.close() }
            for block in blocks { _ = try state.load(block, name: "=" + article) }
        }
    }
}
