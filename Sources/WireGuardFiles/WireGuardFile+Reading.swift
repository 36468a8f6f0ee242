import Model

extension WireGuardFile {
    /// Reads a text of any kind; its lines count from 1.
    package init(_ text: String) {
        var reader = Reader()
        let lines = FileText.lines(text)
        for (index, line) in lines.prefix(FileText.lineCount).enumerated() { reader.take(line, index + 1) }
        if lines.count > FileText.lineCount {
            reader.file.find(
                0, .refused, "has \(lines.count) lines, and \(FileText.lineCount) at most are read", remedy: "give the WireGuard file alone"
            )
        }
        reader.finish()
        self = reader.file
        if isConfiguration { return }
        findings = []
        find(
            0, .refused, "is no WireGuard file\(FileText.program(of: text)), for it has no [Interface]",
            remedy: "give the file that the provider offers for WireGuard")
    }

    /// Takes a file's lines in their order.
    struct Reader {
        enum Section { case none, interface, peer, unknown }

        var file = WireGuardFile()
        var section = Section.none
        var peers: [Peer] = []
        /// IPv6 addresses, each with its line's number.
        var sixes: [(line: Int, text: String)] = []
        /// Fields that stand once, with their values, by section: to see that none is given twice.
        var given: [String: String] = [:]

        mutating func take(_ scalars: Substring.UnicodeScalarView, _ number: Int) {
            guard scalars.count <= FileText.lineLimit else {
                return file.find(
                    number, .refused, "is longer than \(FileText.lineLimit) characters", remedy: "give the WireGuard file alone")
            }
            let line = FileText.trimmed(Substring(scalars))
            let cut = line.firstIndex(of: "#") ?? (line.hasPrefix(";") ? line.startIndex : line.endIndex)
            let comment = FileText.trimmed(line[cut...].drop { $0 == "#" || $0 == ";" })
            if !comment.isEmpty { file.comments.append(Comment(line: number, text: comment)) }
            let content = FileText.trimmed(line[..<cut])
            if content.isEmpty { return }
            if content.hasPrefix("[") { open(content, number) } else { assign(content, number) }
        }

        private mutating func open(_ content: String, _ number: Int) {
            switch content.lowercased().filter({ !$0.isWhitespace }) {
            case "[interface]":
                section = .interface
                file.isConfiguration = true
            case "[peer]":
                section = .peer
                file.isConfiguration = true
                peers.append(Peer(line: number))
                // Each peer has its own.
                given = given.filter { !$0.key.hasPrefix("peer.") }
            default:
                section = .unknown
                file.find(number, .ignored, "\(FileText.quoted(content)) is no section of WireGuard's: it and its lines are not used")
            }
        }

        private mutating func assign(_ content: String, _ number: Int) {
            guard section != .unknown else { return }
            guard let equals = content.firstIndex(of: "=") else {
                return file.find(
                    number, .refused, "is no section and no \"Name = value\"",
                    remedy: "compare with the file as the provider gave it, or put # before the line")
            }
            let name = FileText.trimmed(content[..<equals])
            let value = FileText.trimmed(content[content.index(after: equals)...])
            let isName = (1...20).contains(name.utf8.count) && name.utf8.allSatisfy { Self.isOfNames($0) }
            guard isName else {
                return file.find(
                    number, .refused, "has no name of WireGuard's before its =", remedy: "compare with the file as the provider gave it")
            }
            if section == .none { beginWithout(name, number) }
            guard section != .none else {
                return file.find(
                    number, .refused, "\(FileText.quoted(name)) stands before the first section",
                    remedy: "put [Interface] above it, as wg-quick has it")
            }
            read(name, value, number)
        }

        /// A piece of a file, as people keep it: a key alone says which section it is of.
        private mutating func beginWithout(_ name: String, _ number: Int) {
            switch name.lowercased() {
            case "privatekey": open("[Interface]", number)
            case "presharedkey": open("[Peer]", number)
            default: break
            }
        }

        private static func isOfNames(_ byte: UInt8) -> Bool {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x2D: true
            default: false
            }
        }

        /// Takes a field that may stand once; false where it stood before with another value.
        mutating func isFirst(_ name: String, _ value: String, _ number: Int) -> Bool {
            let key = (section == .peer ? "peer." : "") + name.lowercased()
            guard let before = given[key], before != value else {
                given[key] = value
                return true
            }
            file.find(number, .refused, "\(name) is given twice, with different values", remedy: "keep the one that is right")
            return false
        }

        /// All lines were taken.
        mutating func finish() {
            guard file.isConfiguration else { return }
            choosePeer()
            chooseIPv6()
        }

        private mutating func chooseIPv6() {
            for (line, text) in sixes {
                if !TunnelFacts.isIPv6Address(text) {
                    file.find(line, .ignored, "Address \(text) is not used: no tunnel to the internet has it")
                } else if file.peer?.leadsOutByIPv6 != true {
                    file.find(line, .ignored, "Address \(text) is not used: AllowedIPs lead nowhere by IPv6, expected ::/0 there too")
                } else if file.address6 != nil {
                    file.find(line, .ignored, "Address \(text) is not used: the first one is")
                } else {
                    file.address6 = text
                    file.find(line, .used, "Address \(text) is used")
                }
            }
            file.sortFindings()
        }

        private mutating func choosePeer() {
            let ways = peers.filter { $0.leadsOut }
            let candidates = ways.isEmpty ? peers : ways
            if candidates.count == 1 { file.peer = candidates[0] }
            for peer in peers where peers.count > 1 && peer != file.peer {
                file.find(peer.line, .ignored, "[Peer] is not used: another one leads to the internet")
            }
        }
    }
}
