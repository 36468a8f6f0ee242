package import Model

/// A WireGuard configuration as providers hand it out (`wg-quick(8)`): what a tunnel needs of it, and what was made of each line.
///
/// Any text can be read. Nothing of it is ever run, and no private or preshared key is in a finding.
package struct WireGuardFile: Sendable, Equatable {
    /// False for a text in which nothing says that it is such a configuration.
    package internal(set) var isConfiguration = false
    package internal(set) var privateKey: Secret?
    /// In CIDR form and in the file's order, of both families.
    package internal(set) var addresses: [String] = []
    /// The first IPv6 address in the tunnel, where the peer leads to the internet by IPv6 too; nil for none.
    package internal(set) var address6: String?
    /// IPv4 addresses.
    package internal(set) var resolvers: [String] = []
    /// Bytes, 1280 to 1420.
    package internal(set) var mtu: Int?
    /// The peer through which the internet is reached; the only one where none is; nil where several could be meant.
    package internal(set) var peer: Peer?
    /// The texts of comments, without their signs, each with its line's number.
    package internal(set) var comments: [Comment] = []
    /// In the order of lines.
    package internal(set) var findings: [Finding] = []

    /// The server, as the file has it.
    package struct Peer: Sendable, Equatable {
        package internal(set) var publicKey: String?
        package internal(set) var presharedKey: Secret?
        /// An IPv4 address or a name in lower case, and a UDP port.
        package internal(set) var endpoint: Endpoint?
        /// Seconds; nil where the file says nothing.
        package internal(set) var keepalive: Int?
        /// Networks of IPv4 that it leads to.
        package internal(set) var networks: [IPv4Network] = []
        /// And of IPv6.
        package internal(set) var networks6: [Network] = []
        /// The line of its section.
        package internal(set) var line = 0
    }

    package struct Endpoint: Sendable, Equatable {
        package let host: String
        package let port: Int
    }

    package struct Comment: Sendable, Equatable {
        package let line: Int
        package let text: String
    }

    /// What was made of a line, or of the file.
    package struct Finding: Sendable, Equatable {
        package enum Kind: String, Sendable {
            case used
            /// It changes nothing here.
            case ignored
            /// It can't be used, and so the file can't where it needs that.
            case refused
        }

        /// 1 is the first; 0 for the file as a whole.
        package let line: Int
        package let kind: Kind
        package let words: String
        /// What an operator should do; nil for nothing.
        package let remedy: String?
    }

    /// The first IPv4 address in the tunnel; nil where there is none.
    package var address: String? { addresses.first { !$0.contains(":") } }

    /// What keeps a tunnel from being made of it; empty where nothing does.
    package var problems: [Finding] { findings.filter { $0.kind == .refused } }

    /// By lines, and within a line as they were found.
    mutating func sortFindings() {
        findings = findings.enumerated().sorted { ($0.element.line, $0.offset) < ($1.element.line, $1.offset) }.map(\.element)
    }

    mutating func find(_ line: Int, _ kind: Finding.Kind, _ words: String, remedy: String? = nil) {
        findings.append(Finding(line: line, kind: kind, words: words, remedy: remedy))
    }
}
