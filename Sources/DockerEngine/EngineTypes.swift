import FoundationEssentials
import Model

// Wire types of the Engine API: only the fields that are used. The API's names begin with a capital, ours don't;
// `EngineCoding` turns one into the other.

package struct ContainerCreate: Encodable, Sendable {
    package struct Healthcheck: Encodable, Sendable {
        package var test: [String]
        /// Nanoseconds, like the two below.
        package var interval: Int64
        package var timeout: Int64
        package var startPeriod: Int64
        package var retries: Int
    }

    package struct Mount: Encodable, Sendable {
        package var type: String
        package var target: String
        /// A volume's name; nil for one of the container's own.
        package var source: String?

        package init(type: String, target: String, source: String? = nil) {
            self.type = type
            self.target = target
            self.source = source
        }
    }

    package struct Device: Encodable, Sendable {
        package var pathOnHost: String
        package var pathInContainer: String
        package var cgroupPermissions = "rwm"

        package init(_ path: String) {
            pathOnHost = path
            pathInContainer = path
        }
    }

    package struct LogConfig: Encodable, Sendable {
        package var type = "json-file"
        package var config = ["max-size": "1m", "max-file": "2"]
    }

    package struct Host: Encodable, Sendable {
        package var networkMode: String
        package var readonlyRootfs = false
        package var securityOpt: [String] = []
        package var capDrop: [String] = []
        package var capAdd: [String] = []
        package var devices: [Device] = []
        package var tmpfs: [String: String] = [:]
        package var sysctls: [String: String] = [:]
        package var mounts: [Mount] = []
        /// Bytes; 0 for no limit.
        package var memory: Int64 = 0
        package var memorySwap: Int64 = 0
        package var pidsLimit: Int64 = 0
        package var logConfig = LogConfig()
    }

    package struct Networking: Encodable, Sendable {
        package struct Address: Encodable, Sendable {
            package var ipv4: String
            enum CodingKeys: String, CodingKey { case ipv4 = "IPv4Address" }
        }
        package struct Attachment: Encodable, Sendable {
            package var address: Address?
            enum CodingKeys: String, CodingKey { case address = "IPAMConfig" }
        }
        package var endpointsConfig: [String: Attachment]
    }

    package var image: String
    package var hostname: String?
    package var entrypoint: [String]?
    package var env: [String] = []
    package var labels: [String: String] = [:]
    package var healthcheck: Healthcheck?
    package var stopSignal: String?
    package var hostConfig: Host
    package var networkingConfig: Networking

    /// - Parameter address: a fixed IPv4 address on the network; nil lets the engine choose.
    package init(image: String, network: String, address: String? = nil) {
        self.image = image
        hostConfig = Host(networkMode: network)
        networkingConfig = Networking(endpointsConfig: [network: .init(address: address.map(Networking.Address.init(ipv4:)))])
    }
}

package struct ExecCreate: Encodable, Sendable {
    package let cmd: [String]
    package let attachStdout = true
    package let attachStderr = true
    package init(cmd: [String]) { self.cmd = cmd }
}

package struct ExecStart: Encodable, Sendable {
    package let detach = false
    package init() {}
}

package struct NetworkAttachments: Decodable, Sendable {
    package struct Attachment: Decodable, Sendable {
        package var address: String?
        enum CodingKeys: String, CodingKey { case address = "IPAddress" }
    }
    package var networks: [String: Attachment]?
}

package struct ContainerSummary: Decodable, Sendable {
    package var id: String
    package var names: [String]?
    package var labels: [String: String]?
    package var state: String
    /// "Exited (65) 2 seconds ago"
    package var status: String?
    package var networkSettings: NetworkAttachments?

    package var name: String { (names?.first).map { String($0.drop { $0 == "/" }) } ?? id }

    /// From `status`; nil while it runs.
    package var exitCode: Int? {
        guard let status, status.hasPrefix("Exited ("), let end = status.firstIndex(of: ")") else { return nil }
        return Int(status[status.index(status.startIndex, offsetBy: 8)..<end])
    }
}

package struct ContainerDetails: Decodable, Sendable {
    package struct State: Decodable, Sendable {
        package var status: String
        package var running: Bool
        package var exitCode: Int
        package var pid: Int
    }
    package var id: String
    package var state: State
    package var networkSettings: NetworkAttachments
}

/// How a network's addresses are chosen: Docker's "IPAM".
package struct AddressManagement: Codable, Sendable {
    package struct Range: Codable, Sendable {
        package var subnet: String?
        package var gateway: String?
        /// The part of the subnet that the engine gives addresses of.
        package var ipRange: String?
        /// Addresses that are kept for others, by name.
        package var auxiliaryAddresses: [String: String]?

        enum CodingKeys: String, CodingKey {
            case subnet, gateway, auxiliaryAddresses
            case ipRange = "IPRange"
        }
    }
    package var config: [Range]?
}

package struct NetworkDetails: Decodable, Sendable {
    package var id: String
    package var name: String
    package var addresses: AddressManagement
    package var labels: [String: String]?
    var enableIPv6: Bool?
    /// The running ones on it, by their ids.
    package var containers: [String: Member]?

    package struct Member: Decodable, Sendable {
        /// In CIDR form; empty where it has none.
        package var address: String?
        enum CodingKeys: String, CodingKey { case address = "IPv4Address" }
    }

    enum CodingKeys: String, CodingKey {
        case id, name, labels, containers, enableIPv6
        case addresses = "IPAM"
    }

    /// The host's own IPv4 address on it. Of a network whose subnet was chosen by us older engines don't say it: it is the first.
    package var gateway: String? {
        guard let range = addresses.config?.first(where: { $0.ipv4 != nil }), let subnet = range.ipv4 else { return nil }
        if let given = range.gateway.flatMap({ IPv4Address($0.prefix { $0 != "/" }) }) { return given.description }
        return IPv4Address(subnet.first.number &+ 1).description
    }
}

package struct NetworkCreate: Encodable, Sendable {
    package var name: String
    package var driver = "bridge"
    package var checkDuplicate = true
    /// Only networks that somebody else makes for exits have it.
    package var enableIPv6 = false
    package var addresses: AddressManagement?
    package var options: [String: String]
    package var labels: [String: String]

    enum CodingKeys: String, CodingKey {
        case name, driver, checkDuplicate, enableIPv6, options, labels
        case addresses = "IPAM"
    }

    package init(name: String, subnet: String?, options: [String: String] = [:], labels: [String: String]) {
        self.name = name
        addresses = subnet.map { AddressManagement(config: [.init(subnet: $0)]) }
        self.options = options
        self.labels = labels
    }

    /// The network of the exits of one owner.
    /// - Parameters:
    ///   - subnet: from which exits get addresses of our choice; nil lets the engine choose it, and then the addresses too.
    ///   - keepsApart: exits have no business with each other. Some engines can't do it: `needsBridgeFilter`.
    package static func ofExits(_ name: String, subnet: String?, owner: String, keepsApart: Bool) -> NetworkCreate {
        var labels = [ExitLabel.owner: owner]
        if subnet != nil { labels[ExitLabel.addresses] = "chosen" }
        return NetworkCreate(
            name: name, subnet: subnet, options: keepsApart ? ["com.docker.network.bridge.enable_icc": "false"] : [:], labels: labels)
    }

    /// True for the words of an engine that can't keep containers on one network apart; it has no status of its own for that.
    package static func needsBridgeFilter(_ words: String) -> Bool {
        let words = words.lowercased()
        return ["br_netfilter", "bridge-nf-call", "inter-container communication"].contains { words.contains($0) }
    }
}

package struct EngineEvent: Decodable, Sendable {
    package var type: String?
    package var action: String?
}

/// JSON in the Engine API's habit: field names begin with a capital (`IPAM` with several); keys of dictionaries are data
/// and stay as they are.
package enum EngineCoding {
    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// The same value gives the same bytes.
    package static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .custom { path in
            guard let name = path.last?.stringValue else { return Key(stringValue: "") }
            return Key(stringValue: name.prefix(1).uppercased() + name.dropFirst())
        }
        return [UInt8](try encoder.encode(value))
    }

    package static func decode<Value: Decodable>(_ type: Value.Type, from bytes: some Collection<UInt8>) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .custom { path in
            guard let name = path.last?.stringValue else { return Key(stringValue: "") }
            if name.dropFirst().first?.isUppercase ?? false { return Key(stringValue: name) }
            return Key(stringValue: name.prefix(1).lowercased() + name.dropFirst())
        }
        return try decoder.decode(type, from: Data(bytes))
    }
}
