import CLibFuzzer
import Glibc
import VaultWireFuzzing

/// Fuzzes what `--target=NAME` names; libFuzzer's own options begin with one dash, and it leaves ours alone.
@main
enum WireFuzzer {
    private static let option = "--target="
    fileprivate static let target = CommandLine.arguments.lazy.filter { $0.hasPrefix(option) }.compactMap {
        FuzzTarget(rawValue: String($0.dropFirst(option.count)))
    }.first

    static func main() {
        guard target != nil else {
            print("usage: WireFuzzer \(option)NAME [OPTIONS] [DIRECTORIES]")
            print("NAME is one of: \(FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))")
            exit(2)
        }
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        exit(LLVMFuzzerRunDriver(&count, &arguments, runOne))
    }
}

/// Runs one input. A trap is how libFuzzer learns that something broke.
///
/// The name is the one that libFuzzer's main function calls: it is linked too, though ours is run.
@_cdecl("LLVMFuzzerTestOneInput")
func runOne(_ input: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do {
        try WireFuzzer.target?.run(Array(UnsafeBufferPointer(start: input, count: count)))
    } catch {
        fatalError("\(error)")
    }
    return 0
}
