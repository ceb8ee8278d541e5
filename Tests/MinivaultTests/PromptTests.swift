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
        try await terminal.wait(for: "(search) 'a")
        terminal.type("\u{3}")
        try await terminal.wait(for: "^C", times: 3)
        terminal.type("do\n")
        try await terminal.wait(for: "do\r\n")
        terminal.type("\u{4}")
        try await terminal.wait(for: "(to close 'do' at line 1) near <eof>")
        // Tasks go on while somebody thinks, and write above the line that is typed.
        terminal.type("vault.spawn(function() repeat vault.sleep(0.01) until go print('task', 'ended') end)\n")
        terminal.type("vault.spawn(function() vault.sleep(0.01) go = true error('failed', 0) end)\n")
        terminal.type("'half a ")
        try await terminal.wait(for: "\r\u{1B}[Jtask")
        try await terminal.wait(for: "task\tended\r\n")
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
        try await terminal.wait(for: "between\r\n\u{1B}[?2004h")
        terminal.type("\u{12}sum\n")
        try await terminal.wait(for: "sum\t23", times: 2)
        terminal.type("\u{4}")
        #expect(try await second.end().status == 0)
    }

    private func begin(_ terminal: Terminal, _ sandbox: Sandbox, columns: UInt16 = 80) async throws -> RunningProgram {
        terminal.resize(columns: columns, rows: 24)
        let program = try terminal.run(sandbox, "repl", environment: ["TERM": "xterm", "NO_COLOR": "1"])
        try await terminal.wait(for: "vault> ")
        return program
    }

    @Test func aTerminalThatMovesNoCursorGetsAPromptAndNoSequences() async throws {
        let sandbox = try Sandbox()
        let terminal = try Terminal()
        let program = try terminal.run(sandbox, "repl", environment: ["TERM": "dumb", "NO_COLOR": "1"])
        try await terminal.wait(for: "vault> ")
        terminal.type("6 * 7\n")
        try await terminal.wait(for: "42\r\nvault> ")
        #expect(!terminal.text.contains("\u{1B}"))
        terminal.type("EXIT\n")
        #expect(try await program.end().status == 0)
    }

    @Test func localsStayForLaterEntries() async throws {
        let sandbox = try Sandbox()
        let outcome = try await prompt(
            sandbox, "local x = 1", "function get() return x end", "x = x + 1", "x, get(), _G.x", "local x = 10 * x",
            "x, get()", "local c <const> = 5", "c = 6", "c", "local done <close> = nil", "done",
            "local y = 1 error 'stop'", "y",
            "local function f(n) return n < 1 and 0 or n + f(n - 1) end", "f(4)", "EXIT")
        #expect(outcome.lines == ["2\t2\tnil", "20\t2", "5", "nil", "1", "10"], "\(outcome.output) \(outcome.errors)")
        #expect(outcome.errors.contains("attempt to assign to const variable 'c'"), "\(outcome.errors)")
    }

    @Test func stringsGoOnInTheNextLine() async throws {
        let sandbox = try Sandbox()
        let outcome = try await prompt(sandbox, "s = 'ab\\", "cd'", "#s", "t = 'ab\\z", "  cd'", "t", "=1+1")
        #expect(outcome.lines == ["5", "\"abcd\"", "2"], "\(outcome.output) \(outcome.errors)")
    }

    @Test func bytesThatAreNoTextGoThrough() async throws {
        let sandbox = try Sandbox()
        let outcome = try await sandbox.run(
            "repl", input: Array("s = '".utf8) + [0xFF, 0xC3] + Array("' #s, s:byte()\n".utf8))
        #expect(outcome.errors.contains("unexpected symbol"), "a chunk has one statement too many: \(outcome.errors)")
        let bytes = try await sandbox.run(
            "repl", input: Array("('".utf8) + [0xFF, 0xC3] + Array("'):byte(1, -1)\n".utf8))
        #expect(bytes.output == "255\t195\n")
    }

    @Test func theProgramStopsAndGoesOnWithWhatWasTyped() async throws {
        let sandbox = try Sandbox()
        let terminal = try Terminal()
        terminal.resize(columns: 80, rows: 24)
        // A shell that stops and goes on with its jobs.
        let program = try terminal.run(
            sandbox, executable: "/bin/bash", ["--norc", "-i"], environment: ["TERM": "xterm", "PS1": "sh> "])
        try await terminal.wait(for: "sh> ")
        terminal.type("NO_COLOR=1 '\(Sandbox.program)' repl\n")
        try await terminal.wait(for: "vault> ")
        terminal.type("'typed ")
        try await terminal.wait(for: "vault> 'typed ")
        terminal.type("\u{1A}")
        try await terminal.wait(for: "Stopped")
        terminal.type("fg\n")
        try await terminal.wait(for: "vault> 'typed ", times: 2)
        terminal.type("before'\n")
        try await terminal.wait(for: "\"typed before\"")
        terminal.type("EXIT\n")
        try await terminal.wait(for: "sh> ", times: 3)
        terminal.type("exit\n")
        _ = try await program.end()
    }

    @Test func aPasteIsOnePieceOfCode() async throws {
        let sandbox = try Sandbox()
        let terminal = try Terminal()
        let program = try await begin(terminal, sandbox)
        terminal.type("\u{1B}[200~local a = 5\rprint('a is', a)\rerror 'stop here'\rprint('went', 'on')\r\u{1B}[201~")
        try await terminal.wait(for: "'on')")
        #expect(!terminal.text.contains("a is\t5"))
        terminal.type("\r")
        try await terminal.wait(for: "a is\t5")
        try await terminal.wait(for: "stop here\r\n")
        terminal.type("'next'\r")
        try await terminal.wait(for: "\"next\"")
        #expect(!terminal.text.contains("went\ton"))
        terminal.type("EXIT\r")
        #expect(try await program.end().status == 0)
    }

    @Test func whatTasksWriteStandsAboveTheLineAndIsWhole() async throws {
        let sandbox = try Sandbox()
        let terminal = try Terminal()
        let program = try await begin(terminal, sandbox)
        terminal.type(
            "go = false vault.spawn(function() repeat vault.sleep(0.01) until go io.stdout:write('one, ') end)\r")
        terminal.type("vault.spawn(function() repeat vault.sleep(0.01) until go os.execute 'echo by a child' end)\r")
        terminal.type("vault.spawn(function() vault.sleep(0.05) go = true vault.sleep(0.2) io.write 'two' end)\r")
        terminal.type("'half")
        // It goes on where it was left: a row up, behind what is there.
        try await terminal.wait(for: "by a child\r\n")
        try await terminal.wait(for: "two\r\nvault> 'half")
        #expect(terminal.text.contains("\u{1B}[J"))
        terminal.type(" and half'\r")
        try await terminal.wait(for: "\"half and half\"")
        terminal.type("EXIT\r")
        #expect(try await program.end().status == 0)
    }

    @Test func theLineIsDrawnAnewForAnotherWidth() async throws {
        let sandbox = try Sandbox()
        let terminal = try Terminal()
        let program = try await begin(terminal, sandbox)
        terminal.type("'\(String(repeating: "123456789 ", count: 6))'")
        try await terminal.wait(for: "789 '")
        terminal.resize(columns: 40, rows: 24)
        // Two rows by now: up one, and all of it again.
        try await terminal.wait(for: "\u{1B}[1A\r\u{1B}[Jvault> '123")
        terminal.type("\u{1}Z")
        try await terminal.wait(for: "vault> Z'123")
        // An interrupt empties what has been typed and not been read.
        terminal.type("\u{3}")
        try await terminal.wait(for: "^C\r\n")
        terminal.type("EXIT\r")
        #expect(try await program.end().status == 0)
    }

    @Test func threeInterruptsEndWhatHearsNone() async throws {
        let sandbox = try Sandbox()
        let terminal = try Terminal()
        let program = try await begin(terminal, sandbox)
        // One call of C that takes for ever.
        terminal.type("print('begun') return ('a'):rep(30):find(('.-'):rep(30) .. 'b')\r")
        try await terminal.wait(for: "begun\r\n")
        // Signals that come at once are one: it is asked until it has heard three.
        for _ in 0..<30 {
            terminal.type("\u{3}")
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(try await program.end().status == 130)
        #expect(terminal.echoes)
    }
}
