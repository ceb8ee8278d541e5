/// A part of a pattern between slashes.
enum GlobPart: Hashable {
    /// `**`: any number of parts; at least one where a backslash is in front of the slash behind it.
    case any(takesOne: Bool)
    case elements([GlobElement])

    /// Whether a byte may stand for something other than itself.
    static func hasMeaning(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "*") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "[")
            || byte == UInt8(ascii: "\\")
    }

    /// The parts of a pattern; none for one without bytes, nil for one that nothing can match.
    static func parse(_ pattern: ArraySlice<UInt8>) -> [GlobPart]? {
        if pattern.isEmpty { return [] }
        var parts: [GlobPart] = []
        var elements: [GlobElement] = []
        var stars = 0
        var rest = pattern
        func end(isEscaped: Bool) {
            // Stars in a row are one star, unless they are a whole part.
            parts.append(stars > 1 && elements == [.star] ? .any(takesOne: isEscaped) : .elements(elements))
            elements = []
            stars = 0
        }
        while var byte = rest.popFirst() {
            var isEscaped = false
            switch byte {
            case UInt8(ascii: "*"):
                stars += 1
                if elements.last != .star { elements.append(.star) }
                continue
            case UInt8(ascii: "?"):
                elements.append(.one)
                continue
            case UInt8(ascii: "["):
                guard let set = GlobSet(takenFrom: &rest) else { return nil }
                elements.append(.set(set))
                continue
            case UInt8(ascii: "\\"):
                guard let next = rest.popFirst() else { return nil }
                (byte, isEscaped) = (next, true)
            default: break
            }
            if byte == slash { end(isEscaped: isEscaped) } else { elements.append(.byte(byte)) }
        }
        end(isEscaped: false)
        return parts
    }

    /// Compares elements with one part of a path; where they fail, the last `*` takes one byte more.
    static func matches(_ elements: [GlobElement], _ name: ArraySlice<UInt8>) -> Bool {
        var (element, position) = (0, name.startIndex)
        var retry: (element: Int, position: Int)?
        while position < name.endIndex || element < elements.count {
            if element < elements.count {
                if elements[element] == .star {
                    element += 1
                    retry = (element, position)
                    continue
                }
                if position < name.endIndex, elements[element].matches(name[position]) {
                    (element, position) = (element + 1, position + 1)
                    continue
                }
            }
            guard let last = retry, last.position < name.endIndex else { return false }
            retry = (last.element, last.position + 1)
            (element, position) = (last.element, last.position + 1)
        }
        return true
    }
}

/// A pattern for bytes within a part.
enum GlobElement: Hashable {
    case byte(UInt8)
    /// Any one byte.
    case one
    /// Any number of bytes.
    case star
    case set(GlobSet)

    /// Whether it matches the one byte; a star is not asked.
    func matches(_ byte: UInt8) -> Bool {
        switch self {
        case .byte(let own): own == byte
        case .one: true
        case .star: false
        case .set(let set): set.contains(byte)
        }
    }
}
