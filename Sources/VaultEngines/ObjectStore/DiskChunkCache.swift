import Glibc
import Synchronization
package import VaultModel
import VaultStore

/// Chunks as files of a directory, `ab/<digest>`, of so many bytes together.
///
/// What is fetched for the first time is only remembered; what is fetched again is kept, so that one pass over everything
/// neither fills the cache nor pays for it. The chunk that was used longest ago gives way. Nothing is synced: what a crash
/// damages is found out when it is used, by its digest, and dropped.
package final class DiskChunkCache: ChunkCache {
    private struct State {
        /// What is there, with the moment of its last use.
        var kept: [Digest: (bytes: Int, used: UInt64)] = [:]
        var bytes = 0
        var moment: UInt64 = 0
        /// What has been fetched once lately.
        var seen: Set<Digest> = []
        var writing: Set<Digest> = []
    }

    private let directory: LocalPath
    private let bytesMax: Int
    private let state = Mutex(State())

    /// Takes over what an earlier process has left.
    ///
    /// - Parameters:
    ///   - directory: made where it is missing; nobody else puts anything there.
    ///   - bytesMax: of all files together.
    package init(_ directory: LocalPath, bytesMax: Int) throws(VaultError) {
        self.directory = directory
        self.bytesMax = bytesMax
        try LocalDirectories.make(directory, mode: 0o700)
        for group in try DirectoryListing(directory).names where group.count == 2 {
            let path = directory.appending(group)
            for name in try DirectoryListing(path).names {
                let file = path.appending(name)
                guard let digest = Digest(hexadecimal: name), let status = try? FileStatus(of: file) else {
                    // What was being written when the process ended.
                    _ = file.withCString { unlink($0) }
                    continue
                }
                state.withLock { state in
                    state.kept[digest] = (Int(status.size), 0)
                    state.bytes += Int(status.size)
                }
            }
        }
        makeRoom()
    }

    package func chunk(_ digest: Digest) -> BufferSlice? {
        let isKept = state.withLock { state in
            guard state.kept[digest] != nil else { return false }
            state.moment += 1
            state.kept[digest]?.used = state.moment
            return true
        }
        guard isKept else { return nil }
        guard let bytes = try? SmallFile.read(path(of: digest), bytesMax: Chunker.maximumSize + 1),
            Digest(of: bytes) == digest
        else {
            drop(digest)
            return nil
        }
        return BufferSlice(copying: bytes)
    }

    package func fetched(_ chunk: Chunk) {
        let digest = chunk.digest
        let isWorthIt = state.withLock { state in
            guard state.kept[digest] == nil, !state.writing.contains(digest) else { return false }
            if state.seen.remove(digest) == nil {
                if state.seen.count >= EngineLimits.cacheSeenMax { state.seen = [] }
                state.seen.insert(digest)
                return false
            }
            guard state.writing.count < EngineLimits.cacheWritesMax else { return false }
            state.writing.insert(digest)
            return true
        }
        guard isWorthIt else { return }
        Task(executorPreference: BlockingExecutor.shared) { self.write(chunk) }
    }

    private func write(_ chunk: Chunk) {
        let path = path(of: chunk.digest)
        let isWritten = chunk.bytes.withUnsafeBytes { bytes in
            guard Digest(of: bytes) == chunk.digest else { return false }
            _ = path.parent.withCString { mkdir($0, 0o700) }
            return (try? SmallFile.write(Array(bytes), to: path, mode: 0o600, .isReplaced)) != nil
        }
        state.withLock { state in
            state.writing.remove(chunk.digest)
            guard isWritten else { return }
            state.moment += 1
            state.kept[chunk.digest] = (chunk.bytes.count, state.moment)
            state.bytes += chunk.bytes.count
        }
        makeRoom()
    }

    /// Gives up what was used longest ago, a tenth at once, so that it need not be done often.
    private func makeRoom() {
        let given = state.withLock { state in
            guard state.bytes > bytesMax else { return [] as [Digest] }
            var given: [Digest] = []
            for (digest, kept) in state.kept.sorted(by: { $0.value.used < $1.value.used }) {
                if state.bytes <= bytesMax - bytesMax / 10 { break }
                state.kept[digest] = nil
                state.bytes -= kept.bytes
                given.append(digest)
            }
            return given
        }
        for digest in given { _ = path(of: digest).withCString { unlink($0) } }
    }

    private func drop(_ digest: Digest) {
        state.withLock { state in
            if let kept = state.kept.removeValue(forKey: digest) { state.bytes -= kept.bytes }
        }
        _ = path(of: digest).withCString { unlink($0) }
    }

    private func path(of digest: Digest) -> LocalPath {
        let text = digest.description
        return directory.appending("\(text.prefix(2))/\(text)")
    }
}

extension Digest {
    /// The digest that 64 hexadecimal digits mean; nil for another text.
    fileprivate init?(hexadecimal text: [UInt8]) {
        guard text.count == 2 * Digest.byteCount else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: text.count, by: 2) {
            guard let byte = UInt8(String(decoding: text[index..<index + 2], as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(byte)
        }
        self.init(bytes)
    }
}
