import Foundation
import Glibc
import Testing

/// The kernel's bounds of a process that has given up system calls and files.
@Suite struct SystemCallTests {
    private static let probe = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("confinement.c").path
    private static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../../Sources/CProcess").standardized.path

    private static var isRoot: Bool { geteuid() == 0 }

    private func compiledProbe() async throws -> Sandbox {
        let sandbox = try Sandbox()
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let outcome = try await sandbox.shell(
            """
            PATH=$PATH:'\(path)'
            clang -std=gnu11 -o probe -I '\(Self.sources)/include' '\(Self.probe)' '\(Self.sources)'/*.c -lpthread
            """)
        try #require(outcome.status == 0, "\(outcome.errors)")
        return sandbox
    }

    @Test func noSystemCallLeadsOut() async throws {
        let sandbox = try await compiledProbe()
        let outcome = try await sandbox.shell("./probe </dev/null")
        #expect(outcome.status == 0, "\(outcome.errors)")
        let parts = outcome.lines.split(separator: "--").map(Array.init)
        try #require(parts.count == 3, "\(outcome.output)")
        #expect(parts[0].count > 90)
        for line in parts[0] { #expect(line.hasSuffix(" EPERM"), "\(line)") }
        // The C library takes these for calls that the kernel does not have.
        for line in parts[1] { #expect(line.hasSuffix(" ENOSYS"), "\(line)") }
        for line in parts[2] { #expect(line.hasSuffix(" done"), "\(line)") }
        // Without the filter the kernel has other reasons, so that it was the filter's that was seen.
        if Self.isRoot {
            let open = try await sandbox.shell("./probe open </dev/null")
            for line in open.lines { #expect(!line.hasSuffix(" EPERM"), "\(line)") }
            #expect(open.status == 0 && open.lines.count == parts[0].count)
        }
    }

    @Test func noFileOfTheSameUserIsReached() async throws {
        let sandbox = try await compiledProbe()
        // By somebody who is not root, as whom the shell runs that is looked at.
        let outcome = try await sandbox.shell(
            """
            mkdir data data/own && echo secret >data/secret && ln -s ../secret data/own/link && cp probe data/
            as=()
            [ $EUID = 0 ] && as=(setpriv --reuid=nobody --regid=nogroup --clear-groups) && chown -R nobody:nogroup data
            "${as[@]}" bash -c 'cd data/own || exit 5; touch own; ../probe files; code=$?
                touch own; ../probe files-open | sed s/^/open-/
                exit $code' </dev/null
            """)
        // A kernel without Landlock keeps nobody from them, which the server says.
        if outcome.status == 4 { return }
        #expect(outcome.status == 0, "\(outcome.errors)")
        let confined = outcome.lines.prefix { !$0.hasPrefix("open-") }
        let parts = confined.split(separator: "--").map(Array.init)
        try #require(parts.count == 2, "\(outcome.output)")
        for line in parts[0] { #expect(line.hasSuffix(" EACCES"), "\(line)") }
        for line in parts[1] { #expect(line.hasSuffix(" done"), "\(line)") }
        for line in outcome.lines where line.hasPrefix("open-") && line != "open---" {
            #expect(line.hasSuffix(" done"), "\(line)")
        }
    }

    #if arch(x86_64)
        @Test func theCallsOfOtherMachinesEndTheProcess() async throws {
            let sandbox = try await compiledProbe()
            let outcome = try await sandbox.shell("./probe foreign")
            // By SIGSYS; a kernel without such calls ends it too.
            #expect(outcome.status < 0 && outcome.output == "", "\(outcome)")
        }
    #endif
}
