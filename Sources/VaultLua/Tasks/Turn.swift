import VaultModel

/// Who may use something that one operation at a time can use, such as an open file.
final class Turn {
    private var isTaken = false

    /// - Throws: `invalid` while another task is using it.
    func check() throws(VaultError) {
        if isTaken { throw VaultError(.invalid, "Another task is using this just now; give each task one of its own.") }
    }

    func take() throws(VaultError) {
        try check()
        isTaken = true
    }

    func give() {
        isTaken = false
    }
}
