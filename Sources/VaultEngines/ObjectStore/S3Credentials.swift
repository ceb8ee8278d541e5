import FoundationEssentials
import VaultModel

/// Who asks an object store.
struct S3Credentials: Sendable, Equatable {
    var accessKey: String
    var secretKey: String
    /// Of credentials that run out.
    var sessionToken: String?

    init(accessKey: String, secretKey: String, sessionToken: String? = nil) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
    }
}

/// What the environment, and the files that AWS's programs share, say of the object store.
///
/// Sources: "Environment variables to configure the AWS CLI" and "Configuration and credential file settings" of the AWS
/// CLI user guide.
struct S3Environment: Sendable {
    /// Values under the escape that names have, so that paths may have any bytes.
    private let variables: [String: String]
    private let directories: UserDirectories
    private let profile: String

    init(_ variables: [String: String], directories: UserDirectories) {
        self.variables = variables
        self.directories = directories
        profile = S3Environment.bytes(variables["AWS_PROFILE"]).map { String(decoding: $0, as: UTF8.self) } ?? "default"
    }

    private var credentials: [String: [String: String]] {
        sections(ofFile: "AWS_SHARED_CREDENTIALS_FILE", or: ".aws/credentials")
    }

    private var configuration: [String: [String: String]] {
        sections(ofFile: "AWS_CONFIG_FILE", or: ".aws/config")
    }

    /// The settings of the file that a variable names, or else of one in the home directory; none without a home.
    private func sections(ofFile name: String, or standard: String) -> [String: [String: String]] {
        guard let path = path(name) ?? (try? directories.home)?.appending(standard) else {
            return [:]
        }
        return S3Environment.sections(of: path)
    }

    /// - Throws: `denied` where there are none.
    func findCredentials() throws(VaultError) -> S3Credentials {
        if let access = variable("AWS_ACCESS_KEY_ID"), let secret = variable("AWS_SECRET_ACCESS_KEY") {
            return S3Credentials(
                accessKey: access, secretKey: secret, sessionToken: variable("AWS_SESSION_TOKEN"))
        }
        let named = section(of: credentials) ?? [:]
        let configured = section(of: configuration) ?? [:]
        let found = configured.merging(named) { $1 }
        guard let access = found["aws_access_key_id"], let secret = found["aws_secret_access_key"] else {
            var homeless: String?
            do throws(VaultError) { _ = try directories.home } catch { homeless = error.message }
            throw VaultError(
                .denied,
                "There are no credentials for the object store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                    + "write them under [\(printable(profile))] in ~/.aws/credentials.", cause: homeless)
        }
        return S3Credentials(accessKey: access, secretKey: secret, sessionToken: found["aws_session_token"])
    }

    var region: String? {
        variable("AWS_REGION") ?? variable("AWS_DEFAULT_REGION") ?? section(of: configuration)?["region"]
    }

    var endpoint: String? {
        variable("AWS_ENDPOINT_URL_S3") ?? variable("AWS_ENDPOINT_URL")
            ?? section(of: configuration)?["endpoint_url"]
    }

    /// A file of certificates, in PEM, that are trusted in place of the system's.
    var authorities: LocalPath? {
        path("AWS_CA_BUNDLE") ?? section(of: configuration)?["ca_bundle"].map { LocalPath($0) }
    }

    private func variable(_ name: String) -> String? {
        S3Environment.bytes(variables[name]).map { String(decoding: $0, as: UTF8.self) }
    }

    private func path(_ name: String) -> LocalPath? {
        S3Environment.bytes(variables[name]).map { LocalPath($0) }
    }

    /// The bytes of a variable that is not empty.
    private static func bytes(_ value: String?) -> [UInt8]? {
        guard let value, !value.isEmpty else { return nil }
        return NameEscape.decode(Array(value.utf8)) ?? Array(value.utf8)
    }

    private func section(of file: [String: [String: String]]) -> [String: String]? {
        file["profile \(profile)"] ?? file[profile]
    }

    /// The settings of a file by its sections; none where it cannot be read.
    private static func sections(of path: LocalPath) -> [String: [String: String]] {
        guard let bytes = try? SmallFile.read(path, bytesMax: EngineLimits.settingsBytesMax) else { return [:] }
        var sections: [String: [String: String]] = [:]
        var current = ""
        for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
            let text = line.trimmingWhitespace
            if text.isEmpty || text.hasPrefix("#") || text.hasPrefix(";") { continue }
            if text.hasPrefix("["), text.hasSuffix("]") {
                current = String(text.dropFirst().dropLast()).trimmingWhitespace
                continue
            }
            // What is indented belongs to a setting with parts of its own.
            guard let equals = text.firstIndex(of: "="), line.first?.isWhitespace == false else { continue }
            let key = text[..<equals].trimmingWhitespace.lowercased()
            sections[current, default: [:]][key] = text[text.index(after: equals)...].trimmingWhitespace
        }
        return sections
    }
}

extension StringProtocol {
    fileprivate var trimmingWhitespace: String {
        String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
