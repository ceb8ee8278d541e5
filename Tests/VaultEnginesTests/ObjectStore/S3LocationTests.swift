import TestSupport
import Testing
import VaultModel

@testable import VaultEngines

/// Where packs go, by what people write and what the environment and AWS's shared files add.
@Suite struct S3LocationTests {
    private let directory: TemporaryDirectory
    private let keys = ["AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"]

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func location(_ text: String, _ more: [String: String] = [:]) throws(VaultError) -> S3Location {
        try S3Location(text, environment: keys.merging(more) { $1 })
    }

    @Test func awsIsAddressedByHostNamesAndOthersByPaths() throws {
        let aws = try location("s3://bucket/some/prefix/", ["AWS_REGION": "eu-central-1"])
        #expect(aws.requestHost == "bucket.s3.eu-central-1.amazonaws.com")
        #expect(aws.path("k") == "/k")
        #expect(aws.prefix == "some/prefix/")
        let own = try location("s3://bucket", ["AWS_ENDPOINT_URL": "http://127.0.0.1:9000/"])
        #expect(own.scheme == "http")
        #expect(own.requestHost == "127.0.0.1:9000")
        #expect(own.path("k") == "/bucket/k")
        #expect(own.prefix == "")
        #expect(own.region == "us-east-1")
        let hosted = try location("s3://bucket?addressing=host", ["AWS_ENDPOINT_URL_S3": "https://s3.example.org"])
        #expect(hosted.requestHost == "bucket.s3.example.org")
        #expect(try location("s3://bucket?addressing=path").path("k") == "/bucket/k")
    }

    @Test func theSharedFilesGiveWhatTheEnvironmentDoesNot() throws {
        let (credentials, settings) = (directory("credentials"), directory("config"))
        let text = """
            # comment
            [default]
            aws_access_key_id = one
            aws_secret_access_key=two
            [other]
            aws_access_key_id = three
            aws_secret_access_key = four
            aws_session_token = five
            """
        try SmallFile.write(Array(text.utf8), to: credentials, mode: 0o600, .isReplaced)
        let more = """
            [default]
            region = eu-west-1
            s3 =
              addressing_style = path
            [profile other]
            region = eu-west-2
            endpoint_url = https://objects.example.org
            """
        try SmallFile.write(Array(more.utf8), to: settings, mode: 0o600, .isReplaced)
        var environment = ["AWS_SHARED_CREDENTIALS_FILE": "\(credentials)", "AWS_CONFIG_FILE": "\(settings)"]
        let first = try S3Location("s3://bucket", environment: environment)
        #expect(first.credentials.accessKey == "one")
        #expect(first.credentials.secretKey == "two")
        #expect(first.region == "eu-west-1")
        environment["AWS_PROFILE"] = "other"
        let other = try S3Location("s3://bucket", environment: environment)
        #expect(other.credentials.sessionToken == "five")
        #expect(other.requestHost == "objects.example.org")
        #expect(other.region == "eu-west-2")
        environment["AWS_ACCESS_KEY_ID"] = "six"
        environment["AWS_SECRET_ACCESS_KEY"] = "seven"
        #expect(try S3Location("s3://bucket", environment: environment).credentials.accessKey == "six")
    }

    @Test func theSharedFilesAreInTheHomeOfAnyBytes() throws {
        let home = LocalPath(directory.path.bytes + [UInt8(ascii: "/"), 0xFF])
        try LocalDirectories.make(home.appending(".aws"))
        let text = "[default]\naws_access_key_id = one\naws_secret_access_key = two\nregion = eu-west-1\n"
        for name in ["credentials", "config"] {
            try SmallFile.write(
                Array(text.utf8), to: home.appending(".aws").appending(name), mode: 0o600, .isReplaced)
        }
        let found = try S3Location(
            "s3://bucket", environment: ["HOME": "/nowhere"],
            directories: UserDirectories(accountHome: { () throws(VaultError) in home.bytes }, variable: { _ in nil }))
        #expect(found.credentials.accessKey == "one" && found.region == "eu-west-1")
    }

    @Test func withoutAHomeTheVariablesSuffice() {
        let homeless = UserDirectories(accountHome: { () throws(VaultError) in nil }, variable: { _ in nil })
        #expect(throws: Never.self) { try S3Location("s3://bucket", environment: keys, directories: homeless) }
        let error = #expect(throws: VaultError.self) {
            try S3Location("s3://bucket", environment: [:], directories: homeless)
        }
        #expect(error?.code == .denied && error?.cause?.contains("set HOME") == true)
    }

    @Test(arguments: [
        "bucket/prefix", "s3:/bucket", "s3://", "s3://b", "s3://bu cket", "s3://bucket?addressing=virtual",
        "http://bucket",
    ])
    func anotherTextIsNoLocation(_ text: String) {
        #expect(throws: VaultError.self) { try location(text) }
    }

    @Test func anEndpointThatIsNoneAndMissingCredentialsAreNamed() {
        let endpoint = #expect(throws: VaultError.self) {
            try location("s3://bucket", ["AWS_ENDPOINT_URL": "127.0.0.1:9000"])
        }
        #expect(endpoint?.message.contains("127.0.0.1:9000") == true)
        let none = #expect(throws: VaultError.self) {
            try S3Location("s3://bucket", environment: ["HOME": "\(directory.path)"])
        }
        #expect(none?.code == .denied)
        #expect(none?.message.contains("AWS_ACCESS_KEY_ID") == true)
    }
}
