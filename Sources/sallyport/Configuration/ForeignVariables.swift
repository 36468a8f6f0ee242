/// Variables that begin with `SALLYPORT_` and are no settings: which are somebody else's, and what others were meant to be.
enum ForeignVariables {
    /// Of `containers/compose.yaml` and what stands beside it in its `.env`.
    private static let compose: Set = [
        "CERT_RESOLVER", "CLIENT_LIMIT", "CONFIG", "DOMAIN", "GATEWAY_BIND", "IMAGE", "OPEN_FILES", "SUBNET_PREFIX", "TAG", "TRAEFIK_BIND",
        "VERSION",
    ]

    /// True for variables that Compose, Kubernetes or Docker makes. Kubernetes' can have a setting's name: a service called
    /// `sallyport-api` makes `SALLYPORT_API_PORT=tcp://10.0.0.1:8080`.
    ///
    /// Source: https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
    static func has(_ name: String, _ value: String) -> Bool {
        let name = name.dropFirst("SALLYPORT_".count)
        if compose.contains(String(name)) || ControllerAddress.variables.contains(where: { $0.0 == "SALLYPORT_\(name)" }) { return true }
        let words = name.split(separator: "_", omittingEmptySubsequences: false)
        if words.last == "PORT", isLink(value) { return true }
        if name.hasSuffix("SERVICE_HOST") || name.hasSuffix("SERVICE_PORT") || name.contains("SERVICE_PORT_") { return true }
        // Docker's own links, of containers on its default bridge.
        if words.last == "NAME", value.hasPrefix("/") { return true }
        return isPort(words)
    }

    private static func isLink(_ value: String) -> Bool { ["tcp://", "udp://", "sctp://"].contains { value.hasPrefix($0) } }

    /// `..PORT_8080_TCP`, and the same with `_PROTO`, `_PORT` or `_ADDR` behind it.
    private static func isPort(_ words: [Substring]) -> Bool {
        let words = ["PROTO", "PORT", "ADDR"].contains(words.last) ? words.dropLast() : words[...]
        guard words.count >= 3, ["TCP", "UDP", "SCTP"].contains(words.last) else { return false }
        return words.dropLast(2).last == "PORT" && words.dropLast().last?.allSatisfy(\.isNumber) == true
    }

    /// What to say of a variable that is nobody's: with the settings that have nearly its name, if there are any.
    static func problem(_ name: String, settings: [String]) -> String {
        let name = String(name.prefix(64))
        let near = settings.map { (name: $0, distance: Suggestion.distance(name, $0)) }.filter { $0.distance <= 3 }
            .sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }.prefix(2).map(\.name)
        let wanted = near.isEmpty ? "docs/configuration.md lists them, and `sallyport config` prints them" : near.joined(separator: " or ")
        return "\(name): no such setting; \(near.isEmpty ? "" : "did you mean ")\(wanted)\(near.isEmpty ? "" : "?")"
    }
}
