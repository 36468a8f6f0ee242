import HTTPServing
import Model
import OpenAPI

/// Where proxy users connect, for the answers that tell them.
package struct ProxyAddress: Sendable {
    package var host: String
    package var port: Int
    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }
}

extension CountryCode {
    /// A country with its servers; its exits are not counted where they are nil.
    func fields(servers: [Server], exits: [Exit]? = nil, isOnDemand: Bool? = nil) -> Fields {
        Fields([
            "country": rawValue, "code": rawValue, "country_name": name, "name": name, "servers": servers.count,
            "best_load": servers.compactMap(\.load).min(), "exits": exits?.count, "serving": exits?.count { $0.state.takesTraffic },
            "on_demand": isOnDemand,
        ])
    }
}
