import VaultModel

/// A parameter of a statement, in PostgreSQL's binary format.
struct PostgresValue: Sendable {
    /// The types by their numbers in `pg_type.dat`.
    private enum ValueType: UInt32 {
        case bool = 16
        case bytea = 17
        case int8 = 20
        case int4 = 23
        case text = 25
        case byteaArray = 1001
        case textArray = 1009
        case int8Array = 1016
    }

    static let textType = ValueType.text.rawValue
    static let byteaType = ValueType.bytea.rawValue
    static let int8Type = ValueType.int8.rawValue
    static let int4Type = ValueType.int4.rawValue

    /// The number of the type.
    let type: UInt32
    /// Nil for SQL's NULL.
    let bytes: [UInt8]?

    private init(_ type: ValueType, _ bytes: [UInt8]?) {
        self.type = type.rawValue
        self.bytes = bytes
    }

    static func int(_ value: Int64?) -> PostgresValue { PostgresValue(.int8, value.map(bigEndian)) }
    /// A number without a sign, as the one with a sign that has the same bits.
    static func int(_ value: UInt64) -> PostgresValue { int(Int64(bitPattern: value)) }
    static func bool(_ value: Bool) -> PostgresValue { PostgresValue(.bool, [value ? 1 : 0]) }
    static func bytes(_ value: [UInt8]?) -> PostgresValue { PostgresValue(.bytea, value) }
    static func bytes(_ value: Digest) -> PostgresValue { PostgresValue(.bytea, value.bytes) }
    /// Text; PostgreSQL's has no NUL.
    static func text(_ value: String?) -> PostgresValue {
        PostgresValue(.text, value.map { $0.utf8.filter { $0 != 0 } })
    }

    static func ints(_ values: some Sequence<Int64?>) -> PostgresValue {
        array(.int8Array, of: .int8, values.map { $0.map(bigEndian) })
    }

    static func ints(_ values: some Sequence<UInt64>) -> PostgresValue {
        ints(values.map { Optional(Int64(bitPattern: $0)) })
    }

    static func bytes(_ values: [[UInt8]?]) -> PostgresValue { array(.byteaArray, of: .bytea, values) }

    static func bytes(_ values: [Digest]) -> PostgresValue { bytes(values.map { Optional($0.bytes) }) }

    static func texts(_ values: [String?]) -> PostgresValue {
        array(.textArray, of: .text, values.map { $0.map { $0.utf8.filter { $0 != 0 } } })
    }

    private static func array(_ type: ValueType, of element: ValueType, _ values: [[UInt8]?]) -> PostgresValue {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(20 + values.reduce(0) { $0 + 4 + ($1?.count ?? 0) })
        func append(_ number: Int32) { withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) } }
        // Dimensions, whether there are NULLs, the elements' type; of the one dimension its length and first index.
        append(values.isEmpty ? 0 : 1)
        append(values.contains { $0 == nil } ? 1 : 0)
        append(Int32(element.rawValue))
        if !values.isEmpty {
            append(Int32(values.count))
            append(1)
        }
        for value in values {
            append(value.map { Int32($0.count) } ?? -1)
            if let value { bytes.append(contentsOf: value) }
        }
        return PostgresValue(type, bytes)
    }

    private static func bigEndian(_ value: Int64) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}

/// A statement with its parameters.
struct PostgresQuery: Sendable {
    /// The statement, with parameters `$1`, `$2` and so on. Each text is prepared once a connection.
    let sql: String
    let values: [PostgresValue]

    init(_ sql: String, _ values: [PostgresValue] = []) {
        self.sql = sql
        self.values = values
    }
}
