package import VaultModel

/// Where a vault on a server is: `minivault://[user@]host[:port][/vault]`.
///
/// Its text is canonical: the host is in lower case, an IPv6 address in its shortest form, and the port is left
/// out where it is MiniVault's own. Nothing in it needs a percent escape, so none is taken, but `%25` before the zone of an
/// IPv6 address (RFC 6874), which may also be a plain `%`.
package struct ServerURL: Hashable, Sendable {
    package static let scheme = "minivault"
    package static let portByDefault = 7117

    /// Nil where the URL names none.
    package private(set) var user: String?
    /// A name in lower case, without the dot at the end that an absolute name may have, or an IP address without brackets:
    /// with `%` and its zone, where it is one of a link.
    package let host: String
    package let port: Int
    /// Nil for the user's own vault.
    package let vault: String?

    /// - Throws: `invalid`, naming the part that is wrong.
    package init(_ text: String) throws(VaultError) {
        var parser = try ServerURLParser(text)
        user = try parser.user()
        (host, port) = try parser.place()
        vault = try parser.vault()
    }

    /// The server that has started a worker of its hooks, which is spoken to over no network.
    static let ofWorker = ServerURL(host: "server", port: 0)

    private init(host: String, port: Int) {
        (self.host, self.port, vault) = (host, port, nil)
    }

    /// The same URL with the user named.
    package func withUser(_ user: String) -> ServerURL {
        var url = self
        url.user = user
        return url
    }

    /// `host:port`, the port always there: what a server is known by.
    package var place: String { "\(bracketedHost):\(port)" }

    /// The URL of the server alone, without user and vault.
    package var server: String {
        "\(ServerURL.scheme)://\(bracketedHost)" + (port == ServerURL.portByDefault ? "" : ":\(port)")
    }

    /// The host as an IP address; nil where it is a name.
    var address: IPAddress? { IPAddress(host.split(separator: "%", maxSplits: 1).first.map(String.init) ?? host) }

    /// Whether the host is an IP address and no name.
    package var isAddress: Bool { address != nil }

    private var bracketedHost: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host }
}

extension ServerURL: CustomStringConvertible {
    package var description: String {
        let (start, end) = (server.dropFirst("\(ServerURL.scheme)://".count), vault.map { "/\($0)" } ?? "")
        return "\(ServerURL.scheme)://" + (user.map { "\($0)@" } ?? "") + start + end
    }
}
