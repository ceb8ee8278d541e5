import CLibFuzzer
import Dispatch
import FuzzSupport
import Glibc
import MinivaultFuzzing
import VaultEnginesFuzzing
import VaultStoreFuzzing
import VaultWireFuzzing

/// Fuzzes what `--target=NAME` names; libFuzzer's own options begin with one dash, and it leaves ours alone.
@main
enum Fuzzer {
    private static let option = "--target="
    private static let targets: [any FuzzTarget] =
        WireFuzzTarget.allCases + StoreFuzzTarget.allCases + EnginesFuzzTarget.allCases
        + MinivaultFuzzTarget.allCases
    fileprivate static let target = CommandLine.arguments.lazy.filter { $0.hasPrefix(option) }.compactMap { argument in
        targets.first { $0.rawValue == argument.dropFirst(option.count) }
    }.first

    static func main() {
        if CommandLine.arguments.dropFirst() == ["--list"] {
            for target in targets { print(target.rawValue) }
            exit(0)
        }
        guard target != nil else {
            print("usage: Fuzzer \(option)NAME [OPTIONS] [DIRECTORIES]")
            print("NAME is one of: \(targets.map { $0.rawValue }.joined(separator: " "))")
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
    let bytes = Array(UnsafeBufferPointer(start: input, count: count))
    let end = DispatchSemaphore(value: 0)
    Task.detached {
        do {
            try await Fuzzer.target?.run(bytes)
        } catch {
            fatalError("\(error)")
        }
        end.signal()
    }
    end.wait()
    return 0
}
