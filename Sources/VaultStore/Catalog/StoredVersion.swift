package import VaultModel

/// What an object holds now, with the object.
package struct StoredVersion: Sendable {
    package var object: UInt64
    /// The sequence since which the object has its name.
    package var since: UInt64
    package var entry: Entry

    package init(object: UInt64, since: UInt64, entry: Entry) {
        self.object = object
        self.since = since
        self.entry = entry
    }
}
