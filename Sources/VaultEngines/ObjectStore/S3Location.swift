package import VaultModel

/// Where in which object store packs are kept: a bucket, and what their keys begin with.
package struct S3Location: Sendable {
    /// `http` or `https`.
    var scheme: String
    /// The host, with the port where it is not the scheme's own.
    var host: String
    var region: String
    var bucket: String
    /// Empty, or with a `/` behind it.
    var prefix: String
    /// Whether the bucket is the first part of paths, and not of the host's name.
    var isPathStyle: Bool
    var credentials: S3Credentials
    /// What the credentials were found in, and may be found in again.
    let environment: S3Environment
    /// A file of certificates, in PEM, that are trusted in place of the system's.
    var authorities: LocalPath?

    /// The location that `s3://bucket/prefix` means, with what the environment and AWS's shared files add to it.
    ///
    /// A custom endpoint is addressed by paths and AWS by host names, unless `?addressing=path` or `?addressing=host`
    /// says otherwise.
    ///
    /// - Parameters:
    ///   - variables: the environment, its values under the escape of names.
    ///   - directories: where the shared files are; nil for where the environment says.
    /// - Throws: `invalid` for another text, `denied` without credentials.
    package init(
        _ text: String, environment variables: [String: String], directories: UserDirectories? = nil
    ) throws(VaultError) {
        let problem = VaultError(.invalid, "'\(printable(text))' is not s3://BUCKET/PREFIX.")
        guard text.hasPrefix("s3://") else { throw problem }
        let halves = text.dropFirst(5).split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let parts = halves[0].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        bucket = String(parts[0])
        guard S3Location.isBucket(bucket) else {
            throw VaultError(.invalid, "'\(printable(bucket))' is not the name of a bucket.")
        }
        let folders = parts.count > 1 ? parts[1].split(separator: "/") : []
        prefix = folders.map { "\($0)/" }.joined()
        environment = S3Environment(
            variables, directories: directories ?? UserDirectories { name in variables[name].map { Array($0.utf8) } })
        region = environment.region ?? "us-east-1"
        credentials = try environment.findCredentials()
        authorities = environment.authorities
        (scheme, host) = ("https", "s3.\(region).amazonaws.com")
        isPathStyle = environment.endpoint != nil
        if let endpoint = environment.endpoint { (scheme, host) = try S3Location.endpoint(endpoint) }
        switch halves.count > 1 ? halves[1] : "" {
        case "": break
        case "addressing=path": isPathStyle = true
        case "addressing=host": isPathStyle = false
        default: throw VaultError(.invalid, "'?\(printable(String(halves[1])))' is not ?addressing=path or =host.")
        }
    }

    private static func isBucket(_ text: String) -> Bool {
        (3...63).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    private static func endpoint(_ text: String) throws(VaultError) -> (String, String) {
        for scheme in ["https", "http"] where text.hasPrefix("\(scheme)://") {
            let host = text.dropFirst(scheme.count + 3).split(separator: "/", omittingEmptySubsequences: false)
            guard let first = host.first, !first.isEmpty, host.dropFirst().allSatisfy(\.isEmpty) else { break }
            return (scheme, String(first))
        }
        throw VaultError(
            .invalid, "'\(printable(text))' is not the endpoint of an object store, such as https://s3.example.org.")
    }

    /// The host that requests go to.
    var requestHost: String { isPathStyle ? host : "\(bucket).\(host)" }

    /// The path of an object, or of the bucket for an empty key, not encoded.
    func path(_ key: String) -> String { isPathStyle ? "/\(bucket)/\(key)" : "/\(key)" }

    /// As people are told.
    package var place: String { "s3://\(bucket)/\(prefix)" }
}
