/// The last head of a connection, as it came and as it was read. Nearly every client says the same of itself in each of its requests,
/// and many ask the same again: what has the same bytes means the same, and need not be read again.
struct HeadCache {
    /// Bytes of target and text that are kept. A connection that says nothing costs no more than its last head for it.
    static let limit = 2 << 10

    private var target: [UInt8] = []
    private(set) var text = HeadText()
    private var head: RequestHead?

    /// The target of a request: nil where it is the kept one.
    func changedTarget(_ target: UnsafeRawBufferPointer) -> [UInt8]? {
        let isKept = head != nil && self.target.withUnsafeBytes { $0.elementsEqual(target) }
        return isKept ? nil : Array(target)
    }

    /// The head of a request, read where it is not the kept one.
    /// - Parameters:
    ///   - target: what `changedTarget` returned for it.
    ///   - limit: bytes that target and fields may have.
    mutating func read(target: [UInt8]?, text: HeadText, limit: Int) -> RequestHead {
        if target == nil, let head, self.text == text { return head }
        let target = target ?? self.target
        let read = RequestHead(target: target, text: text, limit: limit)
        if read.problem == nil, target.count + text.bytes.count <= Self.limit {
            (self.target, self.text, head) = (target, text.copy, read)
        } else {
            (self.target, self.text, head) = ([], HeadText(), nil)
        }
        return read
    }
}
