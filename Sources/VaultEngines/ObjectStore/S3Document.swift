/// The XML of an object store's answers, which has elements and text, no attributes that matter, and little depth.
package struct S3Document {
    private let text: Substring

    package init(_ text: String) {
        self.text = text[...]
    }

    private init(_ text: Substring) {
        self.text = text
    }

    /// The contents of all elements of a name, none of which is in another one.
    package func elements(_ name: String) -> [S3Document] {
        var found: [S3Document] = []
        var rest = text
        while let start = rest.range(of: "<\(name)>") {
            guard let end = rest[start.upperBound...].range(of: "</\(name)>") else { break }
            found.append(S3Document(rest[start.upperBound..<end.lowerBound]))
            rest = rest[end.upperBound...]
        }
        return found
    }

    /// The text of the first element of a name; nil where there is none.
    package func first(_ name: String) -> String? { elements(name).first?.content }

    private var content: String {
        var text = String(self.text)
        for (entity, character) in [
            ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#34;", "\""), ("&#39;", "'"),
            ("&amp;", "&"),
        ] {
            text = text.replacing(entity, with: character)
        }
        return text
    }
}

extension Substring {
    fileprivate func range(of part: String) -> Range<Index>? { firstRange(of: part) }
}
