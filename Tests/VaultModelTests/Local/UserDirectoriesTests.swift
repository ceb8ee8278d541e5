import Glibc
import TestSupport
import Testing
import VaultModel

@Suite struct UserDirectoriesTests {
    private func directories(
        _ variables: [String: String], home: [UInt8]? = Array("/home/anna".utf8)
    ) -> UserDirectories {
        UserDirectories(
            accountHome: { () throws(VaultError) in home },
            variable: { name in variables[name].map { Array($0.utf8) } })
    }

    @Test func homeIsTheOneOfTheEnvironment() throws {
        let found = directories(["HOME": "/srv/anna"])
        #expect(try found.home == LocalPath("/srv/anna"))
        #expect(try found.dataHome == LocalPath("/srv/anna/.local/share"))
        #expect(try found.stateHome == LocalPath("/srv/anna/.local/state"))
        #expect(try found.configHome == LocalPath("/srv/anna/.config"))
    }

    @Test(arguments: [[:], ["HOME": ""], ["HOME": "relative"]])
    func withoutOneItIsTheOneOfTheAccount(_ variables: [String: String]) throws {
        #expect(try directories(variables).dataHome == LocalPath("/home/anna/.local/share"))
    }

    @Test(arguments: [nil, "", "/", "//", "relative"] as [String?])
    func theRootIsNobodysHome(_ home: String?) {
        let found = directories([:], home: home.map { Array($0.utf8) })
        for body in [{ try found.home }, { try found.dataHome }, { try found.stateHome }, { try found.configHome }] {
            let error = #expect(throws: VaultError.self) { try body() }
            #expect(error?.code == .invalid && error?.message.contains("set HOME") == true)
        }
    }

    @Test func xdgVariablesNameAbsolutePathsOnly() throws {
        let variables = ["XDG_DATA_HOME": "/data", "XDG_STATE_HOME": "/state", "XDG_CONFIG_HOME": "/config"]
        let named = directories(variables, home: nil)
        #expect(try named.dataHome == LocalPath("/data"))
        #expect(try named.stateHome == LocalPath("/state"))
        #expect(try named.configHome == LocalPath("/config"))
        #expect(try directories(["XDG_DATA_HOME": "data"]).dataHome == LocalPath("/home/anna/.local/share"))
        #expect(try directories(["XDG_DATA_HOME": ""]).dataHome == LocalPath("/home/anna/.local/share"))
    }

    @Test func aHomeMayHaveAnyBytes() throws {
        let bytes: [UInt8] = Array("/home/".utf8) + [0xFF, 0xFE]
        let found = UserDirectories { name in name == "HOME" ? bytes : nil }
        #expect(try found.configHome.bytes == bytes + Array("/.config".utf8))
    }

    @Test func theAccountOfThisProcessIsFound() throws {
        let entry = getpwuid(getuid()).map { String(cString: $0.pointee.pw_dir) }
        #expect(try UserDirectories.entry() == entry.map { Array($0.utf8) })
    }
}
