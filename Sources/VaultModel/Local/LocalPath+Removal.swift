import Glibc

extension LocalPath {
    /// Removes a directory that the program has made for itself, with all that is in it. Links are removed and not
    /// followed. What cannot be removed stays: nobody counts on its going.
    package func removeTree() {
        if let directory = try? OpenFile(self, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW) {
            for name in (try? DirectoryListing(directory).names) ?? [] {
                let isRemoved = LocalPath(name).withCString { unlinkat(directory.descriptor, $0, 0) == 0 }
                if !isRemoved { appending(name).removeTree() }
            }
        }
        _ = withCString { rmdir($0) }
    }
}
