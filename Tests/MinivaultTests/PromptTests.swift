import Foundation
import Testing

@Suite struct PromptTests {
    private func prompt(_ sandbox: Sandbox, _ lines: String...) async throws -> Outcome {
        try await sandbox.run("repl", input: Array((lines.joined(separator: "\n") + "\n").utf8))
    }

    @Test func runsTheLinesOfAPipe() async throws {
        let sandbox = try Sandbox()
        let outcome = try await prompt(
            sandbox, "x = 5", "x, _", "1 + 1", "_ * 2", "for n = 1, 2 do", "print(n)", "end", "local function f()",
            "  return 'f'", "end print(f())", "return 1, nil, 'three'", "EXIT", "print 'never'")
        #expect(outcome.status == 0 && outcome.errors == "", "\(outcome.errors)")
        #expect(outcome.lines == ["5\tnil", "2", "4", "1", "2", "f", "1\tnil\t\"three\""], "\(outcome.output)")
    }

    @Test func tellsErrorsAndGoesOn() async throws {
        let sandbox = try Sandbox()
        let outcome = try await prompt(
            sandbox, "local function f() error 'lost' end f()", "x = = 1", "vault.get 'none'", ":what", "READ",
            "error({})", "vault.spawn(error, 'in a task', 0) vault.sleep(0) collectgarbage()", "'still here'")
        #expect(outcome.lines == ["\"still here\""] && outcome.status == 1)
        for text in [
            "prompt:1: lost\nstack traceback:\n\t[C]: in function 'error'\n\tprompt:1: in",
            "prompt:1: unexpected symbol near '='",
            "not_found: The vault holds nothing under 'none'.", "There is no command :what",
            "usage: READ name [file]\n", "(error object is a table value)", "task 1: in a task",
        ] {
            #expect(outcome.errors.contains(text), "\(text) in \(outcome.errors)")
        }
        let unfinished = try await prompt(sandbox, "'a string", "for n = 1, 2 do")
        #expect(unfinished.status == 1 && unfinished.errors.contains("unfinished string"))
        #expect(unfinished.errors.contains("'end' expected near <eof>"), "\(unfinished.errors)")
    }

    @Test func waitsForItsTasksAtTheEnd() async throws {
        let sandbox = try Sandbox()
        let begin = "t = vault.spawn(function() vault.sleep(0.05) print 'ended' end)"
        for last in ["EXIT", "x = 1"] {
            let outcome = try await prompt(sandbox, begin, last)
            #expect(outcome.status == 0 && outcome.output == "ended\n", "\(outcome.errors)")
        }
        let chunk = try await sandbox.run("repl", "-e", "vault.spawn(error, 'late', 0)")
        #expect(chunk.status == 1 && chunk.errors.contains("task 1: late"), "\(chunk.errors)")
    }

    @Test func runsChunksAndScriptsFirst() async throws {
        let sandbox = try Sandbox()
        let chunks = try await sandbox.run("repl", "-e", "6 * 7", "-e", "x = _", "-e", "print(x)")
        #expect(chunks.status == 0 && chunks.output == "42\n42\n")
        #expect(try await sandbox.run("repl", "-e", "error 'x'").status == 1)
        try sandbox.write("s.lua", "value = 'from the script'")
        let script = try await sandbox.run("repl", "-i", "s.lua", "-e", "value", input: Array("value:upper()\n".utf8))
        #expect(script.output == "\"from the script\"\n\"FROM THE SCRIPT\"\n", "\(script.errors)")
        let initial = try await sandbox.run("repl", "-e", "y", environment: ["LUA_INIT": "y = 8"])
        #expect(initial.output == "8\n")
    }

    @Test func saysHowLongACallTakesAndWhatFunctionsDo() async throws {
        let sandbox = try Sandbox()
        let outcome = try await prompt(
            sandbox, ":time vault.sleep(0.002)", "? vault.spawn", "help(vault.keep)", "?", "help 'nothing'")
        #expect(outcome.lines.first?.hasSuffix(" ms") == true, "\(outcome.output)")
        #expect(
            outcome.output.contains("vault.spawn(f, ...) -> task\n") && outcome.output.contains("vault.keep(prefix"))
        #expect(outcome.output.contains("There is no function nothing"))
    }

    @Test func isWhatTheProgramIsAtATerminal() async throws {
        let sandbox = try Sandbox()
        try sandbox.write("home/a file.txt", "content")
        let terminal = try Terminal()
        let program = try terminal.run(sandbox, environment: ["TERM": "xterm"])
        try await terminal.wait(for: "vault>")
        terminal.type("for n = 1, 2 do\nprint('line', n)\nend\n")
        try await terminal.wait(for: "line\t2")
        terminal.type("'grün', ({x = 1})\n")
        try await terminal.wait(for: "{x = \u{1B}[36m1\u{1B}[0m}")
        #expect(terminal.text.contains("\u{1B}[32m\"grün\"\u{1B}[0m"))
        // Completion: a path, a name, a field.
        terminal.type("vault.sa\t(\"home/a f\t\", 'name').size\n")
        try await terminal.wait(for: "\u{1B}[36m7\u{1B}[0m")
        terminal.type("vault.get(\"na\t\")\n")
        try await terminal.wait(for: "\"content\"")
        // A tab that is pasted is one.
        terminal.type("\u{1B}[200~\t#'a\tb'\u{1B}[201~\n")
        try await terminal.wait(for: "\u{1B}[36m3\u{1B}[0m")
        terminal.type("vault.wait_\t\t")
        try await terminal.wait(for: "wait_all  wait_any")
        // Ctrl-C: the line, then a call that waits, and one that computes.
        terminal.type("\u{3}")
        try await terminal.wait(for: "^C")
        terminal.type("vault.sleep(1000)\n")
        try await terminal.wait(for: "sleep(1000)\r\n")
        terminal.type("\u{3}")
        try await terminal.wait(for: "interrupted")
        terminal.type("'after', 1\n")
        try await terminal.wait(for: "\"after\"")
        // Ctrl-C in a search, and Ctrl-D within a chunk, lead back to the prompt.
        terminal.type("\u{12}a")
        try await terminal.wait(for: "bck:a")
        terminal.type("\u{3}")
        try await terminal.wait(for: "^C", times: 3)
        terminal.type("do\n")
        try await terminal.wait(for: "..>", times: 3)
        terminal.type("\u{4}")
        try await terminal.wait(for: "'end' expected near <eof>")
        // Tasks go on while somebody thinks, and write above the line that is typed.
        terminal.type("vault.spawn(function() repeat vault.sleep(0.01) until go print('task', 'ended') end)\n")
        terminal.type("vault.spawn(function() vault.sleep(0.01) go = true error('failed', 0) end)\n")
        terminal.type("'half a ")
        try await terminal.wait(for: "\r\u{1B}[Jtask\tended\r\n")
        try await terminal.wait(for: "task 2: failed\r\n")
        terminal.type("line'\n")
        try await terminal.wait(for: "\"half a line\"")
        terminal.type("vault.spawn(vault.sleep, 1000)\nEXIT\n")
        try await terminal.wait(for: "1 task still runs; Ctrl-C ends them.")
        terminal.type("\u{3}")
        let outcome = try await program.end()
        #expect(outcome.status == 0)
    }

    @Test func remembersWhatWasTyped() async throws {
        let sandbox = try Sandbox()
        let terminal = try Terminal()
        let first = try terminal.run(sandbox, "repl", environment: ["TERM": "xterm", "NO_COLOR": "1"])
        try await terminal.wait(for: "vault> ")
        terminal.type("do\nprint('sum', 20 + 3)\nend\n")
        try await terminal.wait(for: "sum\t23")
        #expect(!terminal.text.contains("\u{1B}[36m"))
        terminal.type(" print('secret', 1 + 1)\n")
        try await terminal.wait(for: "secret\t2")
        terminal.type("EXIT\n")
        #expect(try await first.end().status == 0)
        let history = sandbox.path + "/home/.local/state/minivault/lua-history"
        #expect(try String(contentsOfFile: history, encoding: .utf8) == "do\\nprint('sum', 20 + 3)\\nend\nEXIT\n")
        let second = try terminal.run(sandbox, "repl", environment: ["TERM": "xterm", "NO_COLOR": "1"])
        try await terminal.wait(for: "vault> ")
        // Up twice, and a search backwards.
        terminal.type("\u{1B}[A\u{1B}[A\n")
        try await terminal.wait(for: "sum\t23")
        terminal.type("print('between')\n")
        try await terminal.wait(for: "between\r\n\u{1B}[?2004hvault> ")
        terminal.type("\u{12}sum\n")
        try await terminal.wait(for: "sum\t23", times: 2)
        terminal.type("\u{4}")
        #expect(try await second.end().status == 0)
    }
}
