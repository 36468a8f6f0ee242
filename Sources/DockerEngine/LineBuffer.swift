/// Cuts bytes that come in pieces into lines.
struct LineBuffer {
    private var pending: [UInt8] = []

    /// The lines that a piece completes, without their line breaks. What has no line break within 1 MiB is no line of an engine's: it is
    /// dropped.
    mutating func take(_ piece: some Sequence<UInt8>) -> [[UInt8]] {
        pending += piece
        var lines: [[UInt8]] = []
        while let end = pending.firstIndex(of: 0x0A) {
            lines.append(Array(pending[..<end]))
            pending = Array(pending[(end + 1)...])
        }
        if pending.count > 1 << 20 { pending = [] }
        return lines
    }
}
