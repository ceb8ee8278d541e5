import Glibc
import Testing
import VaultModel

/// What a file system tells of a file, which may be one of somebody's own making.
@Suite struct FileStatusTests {
    @Test func aSizeBelowNothingIsNone() {
        var status = stat()
        (status.st_mode, status.st_size) = (S_IFREG | 0o644, -1)
        #expect(FileStatus(status).size == 0)
    }

    @Test func timesBeyondWhatIsKeptAreTheNearest() {
        var status = stat()
        (status.st_mtim.tv_sec, status.st_ctim.tv_sec) = (.max, .min)
        #expect(FileStatus(status).modified == .max)
        #expect(FileStatus(status).changed == .min)
    }
}
