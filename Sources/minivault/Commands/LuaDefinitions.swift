import ArgumentParser
import VaultLua

struct LuaDefinitions: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print what editors and checkers want to know of the module 'vault'.",
        discussion: """
            Without an option: definitions for lua-language-server. Write them to a file vault.lua in a directory that its \
            setting Lua.workspace.library names.
            """)

    @Flag(help: "Print a standard for luacheck, to be put into a .luacheckrc, with std = \"lua54+minivault\".")
    var luacheck = false
    @Flag(help: "Print the reference of all functions, in Markdown.")
    var reference = false

    func validate() throws {
        if luacheck, reference { throw ValidationError("--luacheck and --reference exclude each other.") }
    }

    func run() {
        let text = luacheck ? Definitions.luacheck : reference ? Definitions.reference : Definitions.luaCATS
        Output.line(text.hasSuffix("\n") ? String(text.dropLast()) : text)
    }
}

/// `minivault help lua`.
struct LuaHandbook: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "help-lua", abstract: "Print the tutorial and the reference of the Lua functions.",
        shouldDisplay: false)

    func run() {
        Output.line(Definitions.handbook)
    }
}
