import CPostgres
import VaultModel
import VaultStore

/// What a statement was answered: its rows, or how many it changed.
///
/// Rows and columns count from 0. Columns are read as what they are in SQL.
final class PostgresResult {
    private let handle: OpaquePointer

    /// - Parameter handle: a `PGresult`, which belongs to the new object.
    init(_ handle: OpaquePointer) {
        self.handle = handle
    }

    deinit { cpg_clear(handle) }

    var count: Int { Int(cpg_row_count(handle)) }
    /// Rows that the statement inserted, changed or removed.
    var changed: Int { Int(cpg_changed_count(handle)) }
    var rows: some Sequence<PostgresRow> { (0..<count).lazy.map { PostgresRow(self, Int32($0)) } }
    var columns: Int { Int(cpg_column_count(handle)) }
    var first: PostgresRow? { count > 0 ? PostgresRow(self, 0) : nil }

    /// A value by the type of its column; nil for NULL.
    func tableValue(_ row: Int, _ column: Int) throws(CatalogDamage) -> TableValue? {
        let (row, column) = (Int32(row), Int32(column))
        if isNull(row, column) { return nil }
        switch cpg_column_type(handle, column) {
        case PostgresValue.textType: return .text(PostgresRow(self, row).text(column))
        case PostgresValue.byteaType: return .bytes(PostgresRow(self, row).bytes(column))
        case PostgresValue.int8Type, PostgresValue.int4Type: return .int(PostgresRow(self, row).int(column))
        default: throw CatalogDamage(what: "a column of another type")
        }
    }

    fileprivate func value(_ row: Int32, _ column: Int32) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: cpg_value(handle, row, column), count: Int(cpg_length(handle, row, column)))
    }

    fileprivate func isNull(_ row: Int32, _ column: Int32) -> Bool { cpg_is_null(handle, row, column) }
}

/// One row of a result.
struct PostgresRow {
    private let result: PostgresResult
    private let row: Int32

    fileprivate init(_ result: PostgresResult, _ row: Int32) {
        self.result = result
        self.row = row
    }

    func isNull(_ column: Int32) -> Bool { result.isNull(row, column) }

    /// A `bigint`, `integer`, `smallint` or `boolean`; 0 for NULL.
    func int(_ column: Int32) -> Int64 {
        let bytes = result.value(row, column)
        guard let first = bytes.first else { return 0 }
        if bytes.count == 1 { return Int64(first) }
        return bytes.dropFirst().reduce(Int64(Int8(bitPattern: first))) { $0 << 8 | Int64($1) }
    }

    /// A number that counts or orders something; the nearest up to ``StoreLimits/numberMax`` for one that no catalog has,
    /// so that a few can be added.
    func unsigned(_ column: Int32) -> UInt64 { min(UInt64(clamping: int(column)), StoreLimits.numberMax) }
    /// A number of which all 64 bits count.
    func bits(_ column: Int32) -> UInt64 { UInt64(bitPattern: int(column)) }
    func bool(_ column: Int32) -> Bool { int(column) != 0 }
    func bytes(_ column: Int32) -> [UInt8] { Array(result.value(row, column)) }
    func text(_ column: Int32) -> String { String(decoding: result.value(row, column), as: UTF8.self) }

    func digest(_ column: Int32) throws(CatalogDamage) -> Digest {
        let bytes = result.value(row, column)
        guard let digest = Digest(bytes) else { throw CatalogDamage(what: "a digest of \(bytes.count) bytes") }
        return digest
    }

    func name(_ column: Int32) throws(CatalogDamage) -> Name {
        guard let name = Name(exactly: bytes(column)) else { throw CatalogDamage(what: "a name that is none") }
        return name
    }
}
