import Glibc
import Model
import Platform

/// Who an address service says is asking, in any of the usual forms: JSON with `ip` (and `country`), lines of
/// `ip=` and `loc=`, or the bare address. What could be read in two ways is no answer.
struct EchoAnswer: Equatable {
    /// Bytes of the longest answer that is read.
    static let limit = 16 << 10

    /// As the service wrote it.
    var address: String
    var country: CountryCode?

    init?(_ bytes: [UInt8]) {
        guard bytes.count <= Self.limit else { return nil }
        let bytes = Array(bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...])
        let text = String(decoding: bytes, as: UTF8.self)
        if case .object(let fields) = try? Document(json: bytes) {
            self.init(fields)
        } else if let fields = Self.lines(of: text) {
            guard let address = fields["ip"] else { return nil }
            self.init(address: address, countries: fields["loc"].map { [$0] } ?? [])
        } else {
            let words = text.split(whereSeparator: \.isWhitespace)
            guard words.count == 1 else { return nil }
            self.init(address: String(words[0]), countries: [])
        }
    }

    private init?(_ fields: [String: Document]) {
        func strings(_ names: [String]) -> [String] {
            names.compactMap { if case .string(let text) = fields[$0] { text } else { nil } }
        }
        let addresses = Set(strings(["ip", "query", "address"]))
        guard addresses.count == 1, let address = addresses.first else { return nil }
        self.init(address: address, countries: strings(["country", "country_code", "countryCode", "country_iso"]))
    }

    /// Anything that is not an address could not be shown safely, nor compared. Two countries are as good as none.
    private init?(address: String, countries: [String]) {
        var (four, six) = (in_addr(), in6_addr())
        guard inet_pton(AF_INET, address, &four) == 1 || inet_pton(AF_INET6, address, &six) == 1 else { return nil }
        self.address = address
        let codes = Set(countries.compactMap { CountryCode($0) })
        country = codes.count == 1 ? codes.first : nil
    }

    /// The address in its usual spelling, where it is one that somebody on the internet can be seen with: IPv4, since an exit carries
    /// nothing else, and of no private network. Documentation's and the lab's networks count as public.
    var publicAddress: String? {
        guard !address.contains("/"), let network = IPNetwork(address), !network.isIPv6 else { return nil }
        return Self.privateNetworks.contains { $0.contains(network) } ? nil : network.description
    }

    private static let privateNetworks = SpecialNetworks.unseen.compactMap(IPNetwork.init)

    /// Lines of `name=value`, where there is nothing else; nil where a name comes twice.
    private static func lines(of text: String) -> [String: String]? {
        var fields: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) where !line.allSatisfy(\.isWhitespace) {
            let pair = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, !pair[0].isEmpty,
                pair[0].utf8.allSatisfy({ (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }),
                fields.updateValue(String(pair[1]), forKey: String(pair[0])) == nil
            else { return nil }
        }
        return fields.isEmpty ? nil : fields
    }
}
