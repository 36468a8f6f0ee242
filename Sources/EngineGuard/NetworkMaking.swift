import DockerEngine
import Platform
import Synchronization

/// Shows the exits' network, and makes it first where there is none and the guard is to make it. What it is made of are the guard's own
/// settings: a client that asks for it adds nothing.
struct NetworkMaking {
    let session: Session
    /// The version of the API.
    let version: String

    private var settings: EngineGuard.Settings { session.guardian.settings }

    /// What the engine says of the network; where it can't be made, why.
    func answer() throws -> EngineAnswer {
        let found = try inspect(settings.network)
        guard found.status == 404, let kind = settings.newNetwork else { return found }
        // An engine that is told twice at once makes two of one name.
        return try session.guardian.making.withLock { _ in
            let found = try inspect(settings.network)
            return found.status == 404 ? try make(kind) : found
        }
    }

    private func make(_ kind: EngineGuard.Settings.NewNetwork) throws -> EngineAnswer {
        let subnet: String
        switch kind {
        case .subnet(let given): subnet = given
        case .free: subnet = try freeSubnet()
        }
        var made = try create(.ofExits(settings.network, subnet: subnet, owner: settings.owner, keepsApart: true))
        if made.status >= 400, NetworkCreate.needsBridgeFilter(made.message) {
            made = try create(.ofExits(settings.network, subnet: subnet, owner: settings.owner, keepsApart: false))
        }
        guard made.status == 201 || made.status == 409 else {
            session.guardian.log.warning("the exits' network can't be made", ["subnet": subnet, "error": made.message])
            return made
        }
        session.guardian.log.info("made the exits' network", ["network": settings.network, "subnet": subnet])
        return try inspect(settings.network)
    }

    /// A subnet that the engine holds to be free: it knows the machine's routes and its other networks.
    private func freeSubnet() throws -> String {
        let name = "\(settings.network)-subnet"
        let made = try create(.ofExits(name, subnet: nil, owner: settings.owner, keepsApart: false))
        guard made.status == 201 || made.status == 409 else {
            throw Refusal(status: 502, message: "no subnet for the exits' network: \(made.message)")
        }
        let subnet = try inspect(name).network().subnet
        _ = try ask(EngineRequest("DELETE", "\(base)/\(name)"))
        guard let subnet else { throw Refusal(status: 502, message: "the Docker Engine's network \(name) has no IPv4 subnet") }
        return "\(subnet)"
    }

    // MARK: - Requests

    private var base: String { "/v\(version)/networks" }

    private func ask(_ request: EngineRequest) throws -> EngineAnswer { try EngineAnswer.whole(of: request, session) }

    private func inspect(_ name: String) throws -> EngineAnswer { try ask(EngineRequest("GET", "\(base)/\(PercentEncoding.encode(name))")) }

    private func create(_ network: NetworkCreate) throws -> EngineAnswer {
        try ask(EngineRequest("POST", "\(base)/create", type: "application/json", body: try EngineCoding.encode(network)))
    }
}
