import CProcess
import Glibc
package import VaultModel

/// What of its machine a script can reach that is not its user's own.
struct Confinement {
    /// The working directory of the process, which cannot look into the directories above it.
    let home: LocalPath
    /// Local files are in here only: a directory in ``home``.
    let directory: LocalPath
    /// As they must be called.
    let programs: Set<[UInt8]>
    let launcher: any ProgramLauncher

    /// Lets a path through that leads to where local files may be.
    ///
    /// - Returns: the path from the working directory.
    /// - Throws: `denied` for a path that leads elsewhere, also by links.
    func reach(_ path: LocalPath) throws(VaultError) -> LocalPath {
        let reached = Confinement.path(path, from: home)
        guard let own = Confinement.real(Confinement.path(directory, from: home)),
            let real = Confinement.real(reached) ?? Confinement.real(reached.parent),
            real == own || real.starts(with: own + [UInt8(ascii: "/")])
        else {
            throw VaultError(
                .denied, "'\(path)' is none of the files that hooks may use: event:path() gives them one.", path: path)
        }
        return reached
    }

    /// - Throws: `denied` for a program that hooks may not start.
    func check(program: [UInt8]) throws(VaultError) {
        if !programs.contains(program) { throw .notAllowed(program: program) }
    }

    /// A path in a directory as it is from there; another one as it is.
    static func path(_ path: LocalPath, from home: LocalPath) -> LocalPath {
        let prefix = home.bytes + [UInt8(ascii: "/")]
        guard path.bytes.count > prefix.count, path.bytes.starts(with: prefix) else { return path }
        return LocalPath(Array(path.bytes.dropFirst(prefix.count)))
    }

    /// The path that something has without links, as the kernel tells it: realpath(3) looks into every directory on the way.
    private static func real(_ path: LocalPath) -> [UInt8]? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = path.withCString { cprocess_real_path($0, &buffer, buffer.count) }
        return count > 0 && count < buffer.count ? buffer[..<count].map { UInt8(bitPattern: $0) } : nil
    }
}

extension VaultError {
    /// For a program that hooks may not start.
    package static func notAllowed(program: [UInt8]) -> VaultError {
        VaultError(
            .denied,
            "Hooks may not start '\(printable(program))': 'serve --hooks-exec \(printable(program))' lets them.")
    }
}
