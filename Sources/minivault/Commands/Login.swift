import ArgumentParser
import Glibc
import VaultAccess
import VaultClient
import VaultModel
import VaultWire

struct Login: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Trust a server, and make a key with which this device logs in to it.",
        discussion: """
            The password is asked for once and stored nowhere. A server that no certificate authority vouches for is \
            trusted by its key: compare the fingerprint with the one that 'minivault serve' prints when it starts.
            """)

    @Argument(help: ArgumentHelp("minivault://[user@]host[:port][/vault]", valueName: "url"))
    var url: String
    @Flag(help: "Trust a new server without asking; one whose key has changed is refused all the same.")
    var acceptNew = false
    @Flag(help: "Forget the server and do nothing else.")
    var forget = false
    @Option(help: ArgumentHelp("A PEM file of the authorities that vouch for the server.", valueName: "file"))
    var ca: String?
    @Option(help: ArgumentHelp("A file whose first line is the password.", valueName: "file"))
    var passwordFile: String?
    @Option(help: ArgumentHelp("What the server calls this device.", valueName: "text"))
    var label: String?

    func validate() throws {
        if forget, acceptNew || ca != nil || passwordFile != nil || label != nil {
            throw ValidationError("--forget does nothing else: leave the other options out.")
        }
        if acceptNew, ca != nil {
            throw ValidationError("--ca and --accept-new exclude each other: one of them says whom to trust.")
        }
    }

    func run() async throws {
        let url = try ServerURL(url)
        let known = KnownServers(file: try ClientFiles.knownServers)
        let terminal = StandardTerminal(passwordFile: passwordFile)
        if forget { return try LoginDialogue.forget(url, known, terminal) }
        var request = LoginDialogue.Request(
            url: url, localUser: VaultLocation.userName,
            label: try label.map { try CommandText.text($0) } ?? Login.deviceName)
        request.acceptsNew = acceptNew
        request.authority = try ca.map { try Login.absolute(CommandText.path($0)) }
        try await LoginDialogue(
            request, server: RemoteLoginServer(), terminal: terminal, known: known,
            keys: DeviceKeys(directory: try ClientFiles.deviceKeys), authorities: ClientFiles.authorities
        ).run()
    }

    /// The user and the machine, as ssh labels its keys.
    private static var deviceName: String {
        var name = [CChar](repeating: 0, count: Int(HOST_NAME_MAX) + 1)
        let isNamed = gethostname(&name, name.count) == 0
        let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return isNamed ? "\(VaultLocation.userName)@\(host)" : VaultLocation.userName
    }

    /// The path as it is from any directory, since it is remembered.
    private static func absolute(_ path: LocalPath) throws(VaultError) -> LocalPath {
        guard let real = path.withCString({ realpath($0, nil) }) else {
            throw VaultError(system: errno, "open", path)
        }
        defer { free(real) }
        return LocalPath(UnsafeRawBufferPointer(start: real, count: strlen(real)))
    }
}

/// The terminal that the program was started from. Questions go where errors go: results are for standard output.
private struct StandardTerminal: LoginTerminal {
    let passwordFile: String?

    var isInteractive: Bool { isatty(STDIN_FILENO) == 1 }
    var isPasswordGiven: Bool { PasswordPrompt.isGiven(file: passwordFile) }

    func tell(_ text: String) { Output.note(text) }

    func ask(_ question: String) throws(VaultError) -> String? {
        var text = question
        text.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
        return readLine()
    }

    func password(of user: UserName) throws(VaultError) -> PasswordText {
        try PasswordPrompt.password(of: user, file: passwordFile)
    }
}
