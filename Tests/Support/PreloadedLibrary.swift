import Glibc
import Synchronization
package import VaultModel

/// A library in C that is preloaded into a program under test, compiled once from the file of its name beside this one.
package enum PreloadedLibrary {
    /// Gives the program another time of day.
    package static let clock = compiled("clock.c")
    /// Refuses modes, times and hard links, as the file systems of memory cards do.
    package static let refusals = compiled("refusals.c")

    private static func compiled(_ name: String) -> Result<LocalPath, any Error> {
        Result {
            let source = LocalPath("\(#filePath)").parent.appending(name)
            let directory = try TemporaryDirectory()
            let library = directory("\(name).so")
            kept.withLock { $0.append(directory) }
            // What a constant holds goes with nothing but the process.
            atexit { PreloadedLibrary.kept.withLock { $0 = [] } }
            let status = system("clang -shared -fPIC -O1 -o '\(library)' '\(source)' -ldl")
            guard status == 0 else { throw VaultError(.internal, "clang cannot compile '\(source)'.") }
            return library
        }
    }

    private static let kept = Mutex<[TemporaryDirectory]>([])
}
