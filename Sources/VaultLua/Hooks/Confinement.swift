import Glibc
import VaultModel

/// What of its machine a script can reach that is not its user's own.
struct Confinement {
    /// Local files are in here only.
    let directory: LocalPath
    /// As they must be called.
    let programs: Set<[UInt8]>

    /// - Throws: `denied` for a path that leads elsewhere, also by links.
    func check(_ path: LocalPath) throws(VaultError) {
        guard let own = Confinement.real(directory),
            let real = Confinement.real(path) ?? Confinement.real(path.parent),
            real == own || real.starts(with: own + [UInt8(ascii: "/")])
        else {
            throw VaultError(
                .denied, "'\(path)' is none of the files that hooks may use: event:path() gives them one.", path: path)
        }
    }

    /// - Throws: `denied` for a program that hooks may not start.
    func check(program: [UInt8]) throws(VaultError) {
        if programs.contains(program) { return }
        throw VaultError(
            .denied,
            "Hooks may not start '\(printable(program))': 'serve --hooks-exec \(printable(program))' lets them.")
    }

    private static func real(_ path: LocalPath) -> [UInt8]? {
        guard let real = path.withCString({ realpath($0, nil) }) else { return nil }
        defer { free(real) }
        return Array(UnsafeRawBufferPointer(start: real, count: strlen(real)))
    }
}
