import CListReader

/// One value of a provider's list, with the fields that its shape asks for. It lives until the row has been read.
struct ListRow {
    private let nodes: UnsafePointer<list_node>
    private let index: Int

    init(_ nodes: UnsafePointer<list_node>, index: Int = 0) {
        self.nodes = nodes
        self.index = index
    }

    private var node: list_node { nodes[index] }

    /// The first field of that name, where this is an object.
    subscript(_ name: StaticString) -> ListRow? {
        guard node.kind == LIST_NODE_OBJECT else { return nil }
        var child = index + 1
        while child < Int(node.next) {
            if Int(nodes[child].name_length) == name.utf8CodeUnitCount, let start = nodes[child].name,
                UnsafeRawBufferPointer(start: start, count: name.utf8CodeUnitCount)
                    .elementsEqual(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
            {
                return ListRow(nodes, index: child)
            }
            child = Int(nodes[child].next)
        }
        return nil
    }

    /// The elements, where this is a list.
    var elements: Elements? { node.kind == LIST_NODE_LIST ? Elements(nodes: nodes, position: index + 1, end: Int(node.next)) : nil }

    struct Elements: Sequence, IteratorProtocol {
        fileprivate let nodes: UnsafePointer<list_node>
        fileprivate var position: Int
        fileprivate let end: Int

        mutating func next() -> ListRow? {
            guard position < end else { return nil }
            defer { position = Int(nodes[position].next) }
            return ListRow(nodes, index: position)
        }
    }

    var isObject: Bool { node.kind == LIST_NODE_OBJECT }
    var integer: Int? { node.kind == LIST_NODE_INTEGER ? Int(node.integer) : nil }

    /// A load in percent, rounded; nil where it is no number of 0 or more. What a provider writes in place of one never costs the server.
    var load: Int? {
        let isNumber = node.kind == LIST_NODE_INTEGER || node.kind == LIST_NODE_NUMBER
        return isNumber && node.number >= 0 ? Int(min(100, node.number).rounded()) : nil
    }

    var bool: Bool? { node.kind == LIST_NODE_BOOL ? node.integer == 1 : nil }

    var text: String? {
        guard node.kind == LIST_NODE_TEXT, let start = node.text else { return nil }
        return String(decoding: UnsafeRawBufferPointer(start: start, count: Int(node.text_length)), as: UTF8.self)
    }

    /// Whether it is this text, without making a string of it.
    func isText(_ text: StaticString) -> Bool {
        guard node.kind == LIST_NODE_TEXT, let start = node.text, Int(node.text_length) == text.utf8CodeUnitCount else { return false }
        return UnsafeRawBufferPointer(start: start, count: text.utf8CodeUnitCount)
            .elementsEqual(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
