/// Names of machines, in lower case.
enum HostName {
    /// At least two labels, so that no word is looked up in the machine's own search domains; and not of digits alone.
    static func isWhole(_ text: String) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.count >= 2, text.utf8.count <= 253, labels.last?.contains(where: { $0.isLetter }) ?? false else { return false }
        return labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.utf8.first != 0x2D && label.utf8.last != 0x2D && label.utf8.allSatisfy(isPart)
        }
    }

    private static func isPart(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7A, 0x30...0x39, 0x2D, 0x5F: true
        default: false
        }
    }
}
