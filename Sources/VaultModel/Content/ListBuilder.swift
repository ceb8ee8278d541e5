/// Builds the list of a file's chunks from its start to its end, holding one open node a level.
///
/// A node ends after a reference whose digest's first two bytes, as a little-endian number, are a
/// multiple of 1,024, once it holds 512 references; or at 4,096 references. So a change in a file
/// changes the nodes around it only, and equal stretches of files share their nodes.
package struct ListBuilder: Sendable {
    package static let referencesMin = 512
    private static let cutMask: UInt16 = 1023

    /// A finished node with the reference that names it.
    package struct Node: Sendable {
        package var reference: ChunkReference
        package var bytes: [UInt8]
    }

    /// The open nodes, lowest first: references not yet in a finished node.
    private var open: [[ChunkReference]] = [[]]
    package private(set) var size: UInt64 = 0

    package init() {}

    /// Appends the next chunk of the file and gives `finished` the nodes that end with it.
    package mutating func append(_ chunk: ChunkReference, finished: (Node) -> Void) {
        size += chunk.span
        append(chunk, at: 0, finished: finished)
    }

    /// Ends the list, gives `finished` the remaining nodes and returns the content's root.
    package mutating func finish(finished: (Node) -> Void) -> Content {
        guard size > 0 else { return .empty }
        var level = 0
        while true {
            let isTop = open.count == level + 1
            if isTop, open[level].count == 1 {
                return Content(size: size, depth: UInt8(level), root: open[level][0].digest)
            }
            if !open[level].isEmpty { close(level, finished: finished) }
            level += 1
        }
    }

    private mutating func append(_ reference: ChunkReference, at level: Int, finished: (Node) -> Void) {
        open[level].append(reference)
        let count = open[level].count
        let isCut = count >= ListBuilder.referencesMin && reference.digest.leading & ListBuilder.cutMask == 0
        if isCut || count == ListNode.referencesMax { close(level, finished: finished) }
    }

    private mutating func close(_ level: Int, finished: (Node) -> Void) {
        let node = ListNode(level: UInt8(level + 1), references: open[level])
        open[level] = []
        if open.count == level + 1 { open.append([]) }
        let bytes = node.encoded
        let reference = ChunkReference(digest: Digest(of: bytes), span: node.span)
        finished(Node(reference: reference, bytes: bytes))
        append(reference, at: level + 1, finished: finished)
    }
}
