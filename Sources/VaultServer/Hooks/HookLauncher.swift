package import VaultModel

/// A process in which hooks run, as whoever starts it hands it over.
package protocol HookWorkerProcess: Sendable {
    /// Ends it at once, and waits for its end.
    func kill()
    /// How it ended, for the log; nil where it has not.
    func ending() -> String?
}

/// Starts processes in which hooks run. Implemented outside the server, which knows no Lua.
package protocol HookLauncher: Sendable {
    /// - Returns: the process, and the server's ends of the socket pairs for its requests and for events.
    func launch() throws(VaultError) -> HookLaunch
}

/// A process that has been started, with the server's ends of its two socket pairs.
package struct HookLaunch: Sendable {
    package var process: any HookWorkerProcess
    package var requests: Int32
    package var events: Int32

    package init(process: any HookWorkerProcess, requests: Int32, events: Int32) {
        self.process = process
        self.requests = requests
        self.events = events
    }
}
