import FuzzSupport

/// What somebody does to the bytes of a vault's files.
extension VaultImage {
    mutating func damage(_ choices: inout Choices) {
        for _ in 0..<choices.below(6) {
            switch choices.below(8) {
            case 0, 1, 2: changeCatalog { $0.changePage(&choices) }
            case 3, 4: changeCatalog { $0.changeRecord(&choices) }
            case 5: changeCatalog { $0.changeHeader(&choices) }
            case 6: changePacks(&choices)
            default: changeFiles(&choices)
            }
        }
    }

    private mutating func changeCatalog(_ body: (inout DatabasePages) -> Void) {
        var pages = DatabasePages(catalog)
        body(&pages)
        catalog = pages.bytes
    }

    private mutating func changePacks(_ choices: inout Choices) {
        guard !packs.isEmpty else { return }
        let index = choices.one(of: packs)
        guard !files[index].bytes.isEmpty else { return }
        switch choices.below(4) {
        case 0: files.remove(at: index)
        case 1: files[index].bytes.removeLast(choices.below(files[index].bytes.count))
        case 2: files[index].bytes += choices.someBytes(100)
        default: files[index].bytes[choices.below(files[index].bytes.count)] = choices.byte()
        }
    }

    /// Puts files beside the catalog that SQLite would take notice of.
    private mutating func changeFiles(_ choices: inout Choices) {
        let suffix = choices.one(of: ["-wal", "-shm", "-journal"])
        // The beginnings of a log, of the memory beside it, and of a journal, so that SQLite looks at what follows.
        let beginnings: [[UInt8]] = [
            [], [0x37, 0x7F, 0x06, 0x82, 0x00, 0x2D, 0xE2, 0x18, 0, 0, 2, 0], [0x18, 0xE2, 0x2D, 0],
            [0xD9, 0xD5, 0x05, 0xF9, 0x20, 0xA1, 0x63, 0xD7, 0xFF, 0xFF, 0xFF, 0xFF],
        ]
        let bytes = choices.one(of: beginnings) + choices.someBytes(600)
        files.append(File(path: VaultImage.catalogName + suffix, bytes: bytes))
    }
}

/// The pages of a database file ("Database File Format", sqlite.org/fileformat2.html).
struct DatabasePages {
    private(set) var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    private var pageBytes: Int {
        guard bytes.count > 18 else { return 512 }
        let size = Int(bytes[16]) << 8 | Int(bytes[17])
        return size >= 512 ? size : 512
    }

    private mutating func set(_ offset: Int, _ values: [UInt8]) {
        for (index, value) in values.enumerated() where bytes.indices.contains(offset + index) {
            bytes[offset + index] = value
        }
    }

    /// Changes bytes somewhere in a page, most often where its structure is.
    mutating func changePage(_ choices: inout Choices) {
        guard !bytes.isEmpty else { return }
        let pages = max(1, bytes.count / pageBytes)
        let start = choices.below(pages) * pageBytes
        switch choices.below(6) {
        case 0: set(start + choices.below(12), [choices.byte()])
        case 1: set(start + 8 + choices.below(64), [choices.byte(), choices.byte()])
        case 2: set(start + choices.below(pageBytes), [choices.byte()])
        case 3: set(start + choices.below(pageBytes), choices.someBytes(16))
        case 4:
            let other = choices.below(pages) * pageBytes
            set(start, Array(bytes[min(other, bytes.count)..<min(other + pageBytes, bytes.count)]))
        default:
            if choices.flag() { bytes.removeLast(choices.below(bytes.count)) } else { bytes += choices.someBytes(100) }
        }
    }

    /// Changes the header of a record, which says the types of its values: one that becomes shorter or longer moves all
    /// behind it.
    mutating func changeRecord(_ choices: inout Choices) {
        let pages = max(1, bytes.count / pageBytes)
        let page = choices.below(pages)
        let start = page * pageBytes
        let header = start + (page == 0 ? 100 : 0)
        guard header + 8 < bytes.count, [0x0A, 0x0D].contains(bytes[header]) else { return }
        let cells = Int(bytes[header + 3]) << 8 | Int(bytes[header + 4])
        let pointer = header + 8 + 2 * choices.below(max(1, min(cells, 256)))
        guard pointer + 1 < bytes.count else { return }
        var offset = start + (Int(bytes[pointer]) << 8 | Int(bytes[pointer + 1]))
        // In front of the record are its length and, in a table, the number of its row.
        for _ in 0..<(bytes[header] == 0x0D ? 2 : 1) {
            while offset < bytes.count, bytes[offset] & 0x80 != 0 { offset += 1 }
            offset += 1
        }
        set(offset + choices.below(24), [choices.flag() ? UInt8(choices.below(16)) : choices.byte()])
    }

    /// Changes a field of the file's header, such as the size of pages, the encoding of text or the list of free pages.
    mutating func changeHeader(_ choices: inout Choices) {
        let fields = [16, 18, 19, 20, 21, 24, 28, 32, 36, 40, 44, 52, 56, 60, 64, 68, 92, 96]
        let count = choices.one(of: [1, 2, 4])
        set(choices.one(of: fields), (0..<count).map { _ in choices.byte() })
    }
}
