import Model
import Platform

/// A TCP port that the controller or HAProxy is to have.
struct PortFacts: Sendable, Equatable {
    /// "the gateway"
    var user: String
    /// The setting that names it.
    var setting: String
    var port: Int
    /// Why nobody could listen there now; nil where somebody could.
    var trouble: String?
    /// A controller or an HAProxy of ours has it.
    var isOurs = false

    private var fault: Judgement? {
        guard let trouble, !isOurs else { return nil }
        return .fault("\(user) \(trouble)", "set \(setting)")
    }

    static func judge(_ ports: [PortFacts]) -> Judgement {
        let faults = ports.compactMap(\.fault)
        if faults.isEmpty {
            func list(_ ports: [PortFacts]) -> String { ports.map { String($0.port) }.joined(separator: ", ") }
            let (ours, free) = (ports.filter { $0.trouble != nil }, ports.filter { $0.trouble == nil })
            let words = [free.isEmpty ? nil : "free: \(list(free))", ours.isEmpty ? nil : "ours already: \(list(ours))"]
            return .pass(words.compactMap(\.self).joined(separator: "; "))
        }
        return .fault(
            faults.map(\.message).joined(separator: "; "), Set(faults.compactMap(\.remedy)).sorted().joined(separator: "; "))
    }
}

extension PortFacts {
    /// Tries the port.
    init(_ user: String, _ setting: String, _ address: String, _ port: Int, isOurs: @autoclosure () -> Bool = false) {
        self.init(user: user, setting: setting, port: port)
        do { try Ports.check(address, port) } catch {
            let holder = Ports.holder(of: port).map { " (\($0.name), process \($0.pid))" } ?? ""
            (trouble, self.isOurs) = ("\(error)\(holder)", isOurs())
        }
    }
}

extension Configuration {
    /// The gateway's that are known before the pools are; one of a country stays closed with a warning.
    var gatewayPorts: [(setting: String, port: Int)] {
        var ports = [("port", gateway.port)]
        if let port = gateway.tlsPort, gateway.certificateFolder != nil { ports.append(("tls_port", port)) }
        if let base = gateway.trustedPorts { ports += Self.trustedOffsets.map { ("trusted_ports", base + $0) } }
        return ports.map { (setting: "gateway.\($0.0)", port: $0.1) }
    }

    /// The controller's own.
    var ownPorts: [(user: String, setting: String, endpoint: (address: String, port: Int))] {
        var ports = [(user: "the API", setting: "api.port", endpoint: (address: api.address, port: api.port))]
        if let echo = verification.echo { ports.append(("the echo of addresses", "verification.echo_port", (echo.address, echo.port))) }
        return ports
    }
}
