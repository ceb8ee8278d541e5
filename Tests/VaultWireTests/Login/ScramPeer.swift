import Foundation
import Glibc
import Testing

/// The other side of a login by password, as the Python package scramp does it (see `scram_peer.py`).
final class ScramPeer {
    static let isInstalled: Bool = {
        let probe = python(["-c", "import scramp"])
        probe.standardError = FileHandle.nullDevice
        guard (try? probe.run()) != nil else { return false }
        probe.waitUntilExit()
        return probe.terminationStatus == 0
    }()

    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    private let process: Process
    private let input = Pipe()
    private let output = Pipe()
    private var heard: [UInt8] = []

    init(_ setup: [String: Any]) throws {
        process = ScramPeer.python([ScramPeer.folder.appendingPathComponent("scram_peer.py").path])
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        let line = try JSONSerialization.data(withJSONObject: setup)
        input.fileHandleForWriting.write(line + Data("\n".utf8))
    }

    deinit {
        // A test runner may have the gentler signals blocked, which a child inherits.
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }

    func say(_ message: [UInt8]) throws {
        try input.fileHandleForWriting.write(contentsOf: Data(message) + Data("\n".utf8))
    }

    /// The next line that the peer says.
    func hear() throws -> [UInt8] {
        while true {
            if let end = heard.firstIndex(of: UInt8(ascii: "\n")) {
                defer { heard.removeFirst(end + 1) }
                return Array(heard[..<end])
            }
            let more = output.fileHandleForReading.availableData
            try #require(!more.isEmpty, "the peer ended early")
            heard += more
        }
    }

    private static func python(_ arguments: [String]) -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3"] + arguments
        // Where scripts/packages puts what the tests need of Python.
        let packages = folder.appendingPathComponent("../../../.build/python").standardizedFileURL.path
        process.environment = ProcessInfo.processInfo.environment.merging(["PYTHONPATH": packages]) { $1 }
        return process
    }
}
