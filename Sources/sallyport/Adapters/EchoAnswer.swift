import Glibc
import Model

/// Who an address service says is asking, in any of the usual forms: JSON with `ip` (and `country`), lines of
/// `ip=` and `loc=`, or the bare address.
struct EchoAnswer: Equatable {
    var address: String
    var country: CountryCode?

    init?(_ bytes: [UInt8]) {
        let text = String(decoding: bytes.prefix(16 << 10), as: UTF8.self)
        if case .object(let fields) = try? Document(json: bytes) {
            func string(_ names: [String]) -> String? {
                names.lazy.compactMap { if case .string(let text) = fields[$0] { text } else { nil } }.first
            }
            guard let address = string(["ip", "query", "address"]) else { return nil }
            self.init(address: address, country: string(["country", "country_code", "countryCode", "country_iso"]))
        } else if text.contains("ip=") {
            var fields: [Substring: Substring] = [:]
            for line in text.split(whereSeparator: \.isNewline) {
                let pair = line.split(separator: "=", maxSplits: 1)
                if pair.count == 2 { fields[pair[0]] = pair[1] }
            }
            guard let address = fields["ip"] else { return nil }
            self.init(address: String(address), country: fields["loc"].map(String.init))
        } else {
            self.init(address: String(text.filter { !$0.isWhitespace }), country: nil)
        }
    }

    /// Anything that is not an address could not be shown safely, nor compared.
    private init?(address: String, country: String?) {
        var (four, six) = (in_addr(), in6_addr())
        guard inet_pton(AF_INET, address, &four) == 1 || inet_pton(AF_INET6, address, &six) == 1 else { return nil }
        self.address = address
        self.country = country.flatMap { CountryCode($0) }
    }
}
