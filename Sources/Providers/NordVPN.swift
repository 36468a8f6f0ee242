import FoundationEssentials
package import HTTPTransport
package import Model
import Platform

/// NordVPN: its public server list and an account's WireGuard key.
///
/// Source: recorded answers of https://api.nordvpn.com. `/v2/servers` says in 9 MB what `/v1/servers` says in 32.
package struct NordVPN: Sendable {
    package enum Credentials: Sendable {
        /// An access token of the account, with which its private key is fetched.
        case accessToken(Secret)
        /// The account's WireGuard private key itself.
        case privateKey(Secret)
    }

    package static let defaultURL = "https://api.nordvpn.com"
    /// Our address, the resolvers and the keepalive are those of NordVPN's own Linux client.
    package static let facts = TunnelFacts(clientAddress: "10.5.0.2/32", dns: ["103.86.96.100", "103.86.99.100"], mtu: 1380, keepalive: 25)
    private static let port = 51820
    private static let wireGuard = "wireguard_udp"
    /// Servers that are in the list but not for everybody, or not what they seem: dedicated IP, double VPN, Onion.
    private static let excludedGroups: Set<String> = ["legacy_dedicated_ip", "legacy_double_vpn", "legacy_onion_over_vpn"]

    private let baseURL: String
    private let credentials: Credentials?
    private let client: HTTPClient

    package init(baseURL: String, credentials: Credentials?, client: HTTPClient) {
        self.baseURL = baseURL
        self.credentials = credentials
        self.client = client
    }

    /// The servers that can be used, and how many rows could not, by reason.
    package func servers() async throws -> (servers: [Server], dropped: [String: Int]) {
        var request = HTTPRequest("GET", "\(baseURL)/v2/servers?limit=0", headers: [("Accept", "application/json")])
        request.deadline = 60
        request.bodyLimit = 64 << 20
        let response = try await answer(to: request)
        return try Self.decode(response.body)
    }

    /// The private key of our tunnels.
    package func privateKey() async throws -> Secret {
        switch credentials {
        case .none:
            throw ProviderError(code: .credentialsRejected, provider: "nordvpn", message: "no access_token or private_key is configured")
        case .privateKey(let key): return key
        case .accessToken(let token):
            let basic = Base64.encode(Array("token:\(token.revealed)".utf8))
            let request = HTTPRequest(
                "GET", "\(baseURL)/v1/users/services/credentials",
                headers: [("Accept", "application/json"), ("Authorization", "Basic \(basic)")])
            struct Answer: Decodable {
                let privateKey: String
                enum CodingKeys: String, CodingKey { case privateKey = "nordlynx_private_key" }
            }
            let response = try await answer(to: request)
            guard let key = try? JSONDecoder().decode(Answer.self, from: Data(response.body)).privateKey,
                Base64.isWireGuardKey(key)
            else {
                throw ProviderError(code: .badAnswer, provider: "nordvpn", message: "its answer about credentials holds no WireGuard key")
            }
            return Secret(key)
        }
    }

    private func answer(to request: HTTPRequest) async throws -> HTTPResponse {
        let response: HTTPResponse
        do {
            response = try await client.send(request)
        } catch let error as TransportError {
            throw ProviderError(code: .unreachable, provider: "nordvpn", message: "\(baseURL) can't be reached (\(error.message))")
        }
        switch response.status {
        case 200: return response
        case 401, 403:
            guard request.headers.contains(where: { $0.name == "Authorization" }) else {
                throw ProviderError(code: .rateLimited, provider: "nordvpn", message: "it refuses this address (status \(response.status))")
            }
            throw ProviderError(
                code: .credentialsRejected, provider: "nordvpn",
                message: "the access token is refused; make a new one in the NordVPN account and put it into providers.nordvpn.access_token"
            )
        case 429: throw ProviderError(code: .rateLimited, provider: "nordvpn", message: "too many requests (status 429)")
        default: throw ProviderError(code: .badAnswer, provider: "nordvpn", message: "status \(response.status)")
        }
    }

    // MARK: - The list

    /// Reads a `/v2/servers` answer. A row that can't be read costs that row, not the list.
    package static func decode(_ bytes: [UInt8]) throws -> (servers: [Server], dropped: [String: Int]) {
        let list: List
        do {
            list = try JSONDecoder().decode(List.self, from: Data(bytes))
        } catch {
            throw ProviderError(code: .badAnswer, provider: "nordvpn", message: "its server list is not JSON of the known shape")
        }
        let wireGuardIDs = Set(list.technologies.compactMap(\.value).filter { $0.identifier == wireGuard }.map(\.id))
        let excluded = Set(list.groups.compactMap(\.value).filter { excludedGroups.contains($0.identifier) }.map(\.id))
        let locations = Dictionary(list.locations.compactMap(\.value).map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        var servers: [Server] = []
        servers.reserveCapacity(list.servers.count)
        var dropped: [String: Int] = [:]
        var seen: Set<String> = []
        for row in list.servers {
            switch server(of: row.value, wireGuardIDs: wireGuardIDs, excluded: excluded, locations: locations) {
            case .success(let server) where seen.insert(server.hostname).inserted: servers.append(server)
            case .success: dropped["duplicate", default: 0] += 1
            case .failure(let drop): dropped[drop.reason, default: 0] += 1
            }
        }
        return (servers, dropped)
    }

    private struct Drop: Error { let reason: String }

    private static func server(of row: Row?, wireGuardIDs: Set<Int>, excluded: Set<Int>, locations: [Int: Location]) -> Result<Server, Drop>
    {
        guard let row else { return .failure(Drop(reason: "unreadable")) }
        guard row.status == "online" else { return .failure(Drop(reason: "offline")) }
        guard let technology = row.technologies.first(where: { wireGuardIDs.contains($0.id) }) else {
            return .failure(Drop(reason: "no_wireguard"))
        }
        guard technology.status == "online" else { return .failure(Drop(reason: "wireguard_offline")) }
        guard excluded.isDisjoint(with: row.groups) else { return .failure(Drop(reason: "special_group")) }
        let key = technology.metadata?.first { $0.name == "public_key" }?.value ?? ""
        let trimmed = String(key.filter { !$0.isWhitespace })
        guard Base64.isWireGuardKey(trimmed) else { return .failure(Drop(reason: "bad_public_key")) }
        guard isIPv4(row.station), isHostname(row.hostname) else { return .failure(Drop(reason: "bad_address")) }
        guard let location = row.locations.lazy.compactMap({ locations[$0] }).first, let country = CountryCode(location.country.code) else {
            return .failure(Drop(reason: "unknown_country"))
        }
        return .success(
            Server(
                provider: .nordvpn, hostname: row.hostname, address: row.station, port: port, publicKey: trimmed, country: country,
                city: location.country.city?.name, load: min(100, max(0, row.load))))
    }

    /// True for four numbers of 0 to 255, which is the only form of address that may reach an exit's firewall.
    static func isIPv4(_ text: String) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil && String(UInt8($0) ?? 0) == $0 }
    }

    static func isHostname(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D || $0 == 0x2E }
    }

    private struct List: Decodable {
        var servers: [Lossy<Row>]
        var groups: [Lossy<Named>]
        var technologies: [Lossy<Named>]
        var locations: [Lossy<Location>]
    }

    private struct Named: Decodable {
        var id: Int
        var identifier: String
    }

    private struct Location: Decodable {
        struct Country: Decodable {
            struct City: Decodable { var name: String }
            var code: String
            var city: City?
        }
        var id: Int
        var country: Country
    }

    private struct Row: Decodable {
        struct Technology: Decodable {
            struct Metadata: Decodable {
                var name: String
                var value: String?
            }
            var id: Int
            var metadata: [Metadata]?
            var status: String
        }
        var hostname: String
        var station: String
        var status: String
        var load: Int
        var technologies: [Technology]
        var groups: [Int]
        var locations: [Int]

        enum CodingKeys: String, CodingKey {
            case hostname, station, status, load, technologies
            case groups = "group_ids"
            case locations = "location_ids"
        }
    }
}

/// A value that may be unreadable without spoiling the list that it stands in.
struct Lossy<Value: Decodable>: Decodable {
    var value: Value?
    init(from decoder: any Decoder) throws { value = try? Value(from: decoder) }
}
