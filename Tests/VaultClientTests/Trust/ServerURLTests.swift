import Testing
import VaultClient
import VaultModel

@Suite struct ServerURLTests {
    private func message(_ text: String) -> String? {
        do throws(VaultError) {
            _ = try ServerURL(text)
            return nil
        } catch {
            #expect(error.code == .invalid)
            return error.message
        }
    }

    @Test func readsEveryPart() throws {
        let url = try ServerURL("minivault://anna@vault.example.com:7000/photos")
        #expect(url.user == "anna" && url.host == "vault.example.com" && url.port == 7000 && url.vault == "photos")
        #expect(url.place == "vault.example.com:7000")
        #expect(url.server == "minivault://vault.example.com:7000")
        #expect(url.description == "minivault://anna@vault.example.com:7000/photos")
    }

    @Test func leavesOutWhatIsUsual() throws {
        let url = try ServerURL("minivault://host")
        #expect(url.user == nil && url.port == 7117 && url.vault == nil)
        #expect(url.place == "host:7117" && url.description == "minivault://host")
        #expect(url.withUser("bob").description == "minivault://bob@host")
    }

    @Test(arguments: [
        ("MiniVault://Host.EXAMPLE:07117/", "minivault://host.example"),
        ("minivault://[::1]", "minivault://[::1]"),
        ("minivault://a@[2001:DB8:0:0::1]:80/v/", "minivault://a@[2001:db8::1]:80/v"),
        ("minivault://192.0.2.7:1", "minivault://192.0.2.7:1"),
        ("minivault://my_nas.lan", "minivault://my_nas.lan"),
        ("minivault://3com.example", "minivault://3com.example"),
        ("minivault://Localhost.:80", "minivault://localhost:80"),
        ("minivault://[FE80::1%25eth0.1]", "minivault://[fe80::1%eth0.1]"),
        ("minivault://[fe80::1%2]:80/v", "minivault://[fe80::1%2]:80/v"),
        ("minivault://[fe80::1%25]", "minivault://[fe80::1%25]"),
    ])
    func printsItselfInOneWay(_ text: String, _ canonical: String) throws {
        let url = try ServerURL(text)
        #expect(url.description == canonical)
        #expect(try ServerURL(url.description) == url)
    }

    @Test func refusesAPasswordWithoutRepeatingIt() throws {
        for text in ["minivault://anna:s3cret@host", "minivault://anna:s3@cret@host/v", "minivault://:s3cret@host"] {
            let message = try #require(self.message(text))
            #expect(message.contains("password") && message.contains("--password-file"))
            #expect(!message.contains("s3"))
        }
    }

    @Test(arguments: [
        ("", "://"), ("host", "://"), ("https://host", "https"), ("minivault:/host", "://"), ("minivault://", "host"),
        ("minivault:///vault", "host"), ("minivault://@host", "user"), ("minivault://Anna@host", "user"),
        ("minivault://a%40b@host", "user"), ("minivault://host:", "port"), ("minivault://host:0", "port"),
        ("minivault://host:65536", "port"), ("minivault://host:+80", "port"), ("minivault://host:8x", "port"),
        ("minivault://host:٣", "port"), ("minivault://::1", "brackets"), ("minivault://[::1", "bracket"),
        ("minivault://[::1]x", "port"), ("minivault://[fe80::1%]", "zone"),
        ("minivault://[fe80::1%25eth0/x]", "bracket"),
        ("minivault://[fe80::1%a%b]", "zone"), ("minivault://[fe80::1%abcdefghijklmnop]", "zone"),
        ("minivault://..", "machine"), ("minivault://host..", "machine"), ("minivault://[1.2.3.4]", "IPv6"),
        ("minivault://[::1\u{0}]", "IPv6"), ("minivault://ho st", "machine"), ("minivault://-host", "machine"),
        ("minivault://a..b", "machine"), ("minivault://ho%73t", "machine"),
        ("minivault://1.2.3", "IPv4"), ("minivault://1.2.3.256", "IPv4"), ("minivault://0x7f.1", "IPv4"),
        ("minivault://bücher.example", "xn--"), ("minivault://host\u{301}", "xn--"), ("minivault://host/a/b", "within"),
        ("minivault://host/..", "vault"), ("minivault://host/A", "vault"), ("minivault://host//", "vault"),
        ("minivault://host?x", "'?'"), ("minivault://host/v?x=1", "vault"), ("minivault://host#v", "'#'"),
        ("minivault://host\u{1B}[31m", "\\x1B"), ("minivault://h\u{0}ost", "\\x00"),
        ("minivault:\u{301}//host", "://"), ("minivault://" + String(repeating: "a", count: 64), "machine"),
        ("minivault://" + String(repeating: "a.", count: 2000), "bytes"),
    ])
    func namesThePartThatIsWrong(_ text: String, _ hint: String) throws {
        let message = try #require(self.message(text), "\(text)")
        #expect(message.contains(hint), "\(message)")
        #expect(!message.unicodeScalars.contains { $0.value < 0x20 })
    }

    @Test func survivesEveryByteAnywhere() {
        let text = Array("minivault://a@[::1]:7/v".utf8)
        for index in text.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = text
                changed[index] = byte
                guard let url = try? ServerURL(String(decoding: changed, as: UTF8.self)) else { continue }
                #expect((try? ServerURL(url.description)) == url)
            }
        }
    }
}
