import GRDB
import GRDBSQLite
import VaultModel

/// A prepared statement of one connection, bound and stepped without the cost of boxed values.
///
/// Valid while the connection is accessed. Columns and parameters count from 0 and 1, as in SQLite. What a column holds is
/// checked when it is read: the file may come from anybody. A statement that meets damage is reset, since an open one would
/// keep its connection at an old state.
struct Query {
    private let handle: OpaquePointer
    private let database: Database
    private var parameter: Int32 = 1

    init(_ database: Database, _ sql: String) throws {
        let statement = try database.cachedStatement(sql: sql)
        handle = statement.sqliteStatement
        self.database = database
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
    }

    /// Tells SQLite to copy what it is given.
    private static let copies = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    mutating func bind(_ value: Int64) {
        sqlite3_bind_int64(handle, parameter, value)
        parameter += 1
    }

    mutating func bind(_ value: UInt64) {
        bind(Int64(bitPattern: value))
    }

    mutating func bind(text: [UInt8]) {
        text.withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                _ = sqlite3_bind_text(handle, parameter, $0.baseAddress, Int32($0.count), Query.copies)
            }
        }
        parameter += 1
    }

    mutating func bind(text: String) {
        bind(text: Array(text.utf8))
    }

    mutating func bind(_ value: Digest) {
        value.withUnsafeBytes {
            _ = sqlite3_bind_blob(handle, parameter, $0.baseAddress, Int32($0.count), Query.copies)
        }
        parameter += 1
    }

    mutating func bind(blob: [UInt8]) {
        blob.withUnsafeBytes { _ = sqlite3_bind_blob(handle, parameter, $0.baseAddress, Int32($0.count), Query.copies) }
        parameter += 1
    }

    mutating func bindNull() {
        parameter += 1
    }

    /// The next row; false behind the last one.
    func step() throws -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE:
            sqlite3_reset(handle)
            return false
        default:
            let error = DatabaseError(
                resultCode: ResultCode(rawValue: sqlite3_extended_errcode(database.sqliteConnection)),
                message: database.lastErrorMessage)
            sqlite3_reset(handle)
            throw error
        }
    }

    /// Runs the statement to its end, or to its first row.
    @discardableResult
    func first() throws -> Bool {
        try step()
    }

    /// Ends the use of a statement that has not been stepped to its end.
    func finish() {
        sqlite3_reset(handle)
    }

    /// Starts again with other parameters.
    mutating func restart() {
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
        parameter = 1
    }

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    /// A whole number of either sign.
    func int(_ column: Int32) throws -> Int64 {
        guard sqlite3_column_type(handle, column) == SQLITE_INTEGER else { throw damage("no number where one belongs") }
        return sqlite3_column_int64(handle, column)
    }

    /// A number that counts or orders something, up to ``StoreLimits/numberMax``: sums of a few cannot overflow.
    func count(_ column: Int32) throws -> UInt64 {
        let number = try int(column)
        guard let count = UInt64(exactly: number), count <= StoreLimits.numberMax else {
            throw damage("the number \(number)")
        }
        return count
    }

    /// A number of which all 64 bits count.
    func bits(_ column: Int32) throws -> UInt64 { UInt64(bitPattern: try int(column)) }

    func flag(_ column: Int32) throws -> Bool { try int(column) != 0 }

    func name(_ column: Int32) throws -> Name {
        let bytes = bytes(column)
        if isText(column), let name = Name(exactly: bytes) { return name }
        throw damage("the name '\(printable(bytes.prefix(Name.partBytesMax)))'")
    }

    /// A text behind which a next page can start: bytes that are not text, and what is read as other text, are behind every
    /// text.
    func key(_ column: Int32) throws -> String {
        if isText(column), let key = String(validating: bytes(column), as: UTF8.self) { return key }
        throw damage("a key that is no text")
    }

    private func isText(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_TEXT }

    func bytes(_ column: Int32) -> [UInt8] {
        guard let memory = sqlite3_column_blob(handle, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: memory, count: Int(sqlite3_column_bytes(handle, column))))
    }

    func text(_ column: Int32) -> String {
        String(decoding: bytes(column), as: UTF8.self)
    }

    func digest(_ column: Int32) throws -> Digest {
        let memory = UnsafeRawBufferPointer(
            start: sqlite3_column_blob(handle, column), count: Int(sqlite3_column_bytes(handle, column)))
        guard let digest = Digest(memory) else { throw damage("a digest of \(memory.count) bytes") }
        return digest
    }

    /// Refuses a row that is not behind the place at which its page was to begin: in a file that is not sorted as it says,
    /// SQLite finds any, and who asks for one page behind another would never come to the end.
    func checkOrder(_ isBehind: Bool) throws {
        if !isBehind { throw damage("rows that are not in their order") }
    }

    /// The error for a row that the catalog never stored; the statement is at its end.
    func damage(_ what: String) -> CatalogDamage {
        sqlite3_reset(handle)
        return CatalogDamage(what: what)
    }
}

/// The catalog holds what it never stored.
struct CatalogDamage: Error {
    var what: String
}
