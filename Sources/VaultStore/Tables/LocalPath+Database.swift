import VaultModel

extension LocalPath {
    /// The text by which SQLite opens the file: the path, or a URI where the path is not UTF-8 text, or would itself be
    /// taken for a URI.
    var databaseName: String {
        guard let text = String(validating: bytes, as: UTF8.self), !text.utf8.starts(with: "file:".utf8) else {
            return databaseURI
        }
        return text
    }

    /// The URI of the file, with every byte escaped (sqlite.org/uri.html).
    var databaseURI: String {
        let escaped = bytes.map { byte in "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16) }
        return "file:" + escaped.joined()
    }
}
