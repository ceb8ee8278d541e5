import VaultModel

/// A request of a worker of hooks for what it cannot do itself, or a part of what comes of it: byte strings.
struct BrokerRequest: Sendable {
    enum Kind: UInt8, Sendable {
        /// Starts a program: its words. Three descriptors come with it, for the standard streams.
        case start
        /// Names the account of a URL: answered by the user and the public key.
        case account
        /// Connects to the server of a URL: answered with a descriptor.
        case connect
        /// Judges the certificates of the server of a URL: those in DER.
        case verify
        /// Signs a login at a URL: its proof. Answered by the signature.
        case sign
    }

    static let bytesMax = 8 << 20

    var kind: Kind
    var fields: [[UInt8]]

    init(_ kind: Kind, _ fields: [[UInt8]]) {
        self.kind = kind
        self.fields = fields
    }

    var encoded: [UInt8] {
        var writer = ByteWriter()
        writer.write(kind.rawValue)
        writer.writeFields(fields)
        return writer.bytes
    }

    /// - Throws: `invalid` for what no worker of this version says.
    init(decoding bytes: [UInt8]) throws(VaultError) {
        do throws(ByteReader.Malformed) {
            var reader = ByteReader(bytes)
            guard let kind = Kind(rawValue: try reader.read()) else { throw ByteReader.Malformed() }
            self.init(kind, try reader.readFields())
        } catch {
            throw VaultError(.invalid, "A worker for hooks asks for what nobody knows.")
        }
    }
}

/// The outcome of a request.
struct BrokerAnswer: Sendable {
    var result: Result<[[UInt8]], VaultError>

    init(_ result: Result<[[UInt8]], VaultError>) {
        self.result = result
    }

    var encoded: [UInt8] {
        var writer = ByteWriter()
        switch result {
        case .success(let fields):
            writer.write(UInt8(0))
            writer.writeFields(fields)
        case .failure(let error):
            writer.write(UInt8(error.isRetryable ? 2 : 1))
            writer.writeFields([error.code.rawValue, error.message, error.cause ?? ""].map { Array($0.utf8) })
        }
        return writer.bytes
    }

    init(decoding bytes: [UInt8]) throws(VaultError) {
        do throws(ByteReader.Malformed) {
            var reader = ByteReader(bytes)
            let kind: UInt8 = try reader.read()
            let fields = try reader.readFields()
            if kind == 0 {
                result = .success(fields)
                return
            }
            let texts = fields.map { String(decoding: $0, as: UTF8.self) }
            guard texts.count == 3, let code = VaultError.Code(rawValue: texts[0]) else { throw ByteReader.Malformed() }
            result = .failure(
                VaultError(code, texts[1], cause: texts[2].isEmpty ? nil : texts[2], isRetryable: kind == 2))
        } catch {
            throw VaultError(.internal, "The server's answer to a worker for hooks cannot be read.")
        }
    }
}

extension ByteWriter {
    fileprivate mutating func writeFields(_ fields: [[UInt8]]) {
        writeVarint(UInt64(fields.count))
        for field in fields { writeString(field) }
    }
}

extension ByteReader {
    fileprivate mutating func readFields() throws(Malformed) -> [[UInt8]] {
        let count = try readVarint()
        // Each has a byte for its length at least.
        guard count <= UInt64(remaining) else { throw Malformed() }
        var fields: [[UInt8]] = []
        for _ in 0..<count { fields.append(try readString()) }
        guard remaining == 0 else { throw Malformed() }
        return fields
    }
}
