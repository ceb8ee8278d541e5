import VaultModel
import VaultStore
import Glibc

@main struct Smoke {
    static func main() async {
        do {
            try await BlockingExecutor.run { () async throws(VaultError) in try await run() }
        } catch { print("error: \(error)"); exit(1) }
    }
    static func run() async throws(VaultError) {
        let a = CommandLine.arguments
        let vault = try await LocalVault.open(LocalPath(a[1]), access: .create, savedBy: "me")
        let clock = ContinuousClock(); let t = clock.now
        switch a[2] {
        case "push":
            let r = try await Push(to: vault, options: TreeOptions()).run(LocalPath(a[3]), NamePrefix(a[4]))
            print(r)
        case "pull":
            let r = try await Pull(from: vault, options: TreeOptions()).run(NamePrefix(a[3]), LocalPath(a[4]))
            print(r)
        case "save":
            print(try await FileSave(to: vault).save(LocalPath(a[3]), as: Name(a[4])))
        case "read":
            print(try await FileRead(from: vault).read(Name(a[3]), to: LocalPath(a[4])))
        case "list":
            var s = EntryStream(vault, ListQuery())
            while let e = try await s.next() { print(e.name, e.size, e.version) }
        default: break
        }
        print(clock.now - t)
        await vault.close()
    }
}
