import Model
import Planning
import Platform

/// Handshakes without an exit: which servers are there and take our key.
extension Controller {
    /// Asks servers of a pool. The answers are there in the next pass.
    func ask(_ country: CountryCode, _ servers: [Server]) {
        guard let asked = ports.handshakes, term.handshakes.beginAsking(country) else { return }
        spawn { await $0.ask(asked, country, servers) }
    }

    private func ask(_ asked: any ServerHandshakes, _ country: CountryCode, _ servers: [Server]) async {
        let term = term
        let accepted = await asked.accepted(by: servers)
        term.handshakes.endAsking(country)
        guard term === self.term else { return }
        let now = ports.now()
        if let accepted {
            term.handshakes.knowledge.received(accepted, of: servers, for: country, now)
            for account in Set(servers.filter { accepted.contains($0.hostname) }.map(account)) { noteKeyAccepted(by: account) }
            // Where no server has ever answered this machine, silence says nothing about the key.
            if accepted.isEmpty { noteSilence(of: servers.filter { term.handshakes.knowledge.isTrusted($0.provider) }, now) }
            if accepted.isEmpty, servers.contains(where: \.hasOwnKey) { term.searches.forget(country) }
            ports.log.debug("\(accepted.count) of \(servers.count) servers of \(country) accepted the key")
        } else {
            term.handshakes.knowledge.handshakesFailed(Set(servers.map(\.provider)), for: country, now)
        }
        wake()
    }
}
