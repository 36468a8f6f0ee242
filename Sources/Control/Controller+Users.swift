package import Model
import Planning
import Platform

/// Commands about proxy users, and who of them is over a quota.
extension Controller {
    func addUser(_ user: ProxyUser) async throws {
        try await loaded()
        let edition = try await changes.withLock {
            guard !desired.users.contains(where: { $0.name == user.name }) else {
                throw OperationError(code: .exists, message: "user \(user.name) exists already")
            }
            try refuseOpenNetworks(of: user, before: nil)
            try await stored { try await ports.store.save(user) }
            desired.users.append(user)
            desired.users.sort { $0.name < $1.name }
            record(.userAdded, .info, "user \(user.name) was added", cause: .operator, by: Originator.current)
            return usersChanged()
        }
        await waitForGateway(edition)
    }

    /// Puts a user in the place of the one of that name.
    func changeUser(_ user: ProxyUser) async throws {
        try await loaded()
        let edition = try await changes.withLock {
            guard let index = desired.users.firstIndex(where: { $0.name == user.name }) else {
                throw OperationError(code: .notFound, message: "there is no user \(user.name)")
            }
            try refuseOpenNetworks(of: user, before: desired.users[index])
            try await stored { try await ports.store.save(user) }
            let changed = user.changedSettings(from: desired.users[index])
            desired.users[index] = user
            if !changed.isEmpty {
                let words = "user \(user.name) was changed: \(changed.joined(separator: ", "))"
                record(.userChanged, .info, words, cause: .operator, by: Originator.current)
            }
            return usersChanged()
        }
        await waitForGateway(edition)
    }

    /// Here, where changes come one after another: two at once could each be harmless by itself.
    private func refuseOpenNetworks(of user: ProxyUser, before: ProxyUser?) throws {
        guard let problem = user.openProblem(before: before, others: desired.users) else { return }
        throw OperationError(code: .networksTooWide, message: problem)
    }

    /// The users as they are for certain: nil while another controller may lead, or the gateway was not given them yet.
    package func knownUsers() -> [ProxyUser]? {
        term.isLoaded && term.gateway.published != nil && ports.leadership.isLeader ? desired.users : nil
    }

    /// Says which accounts are over a quota, and which one: the gateway refuses their users.
    package func block(_ accounts: [UserAccount: Quota]) {
        let users = desired.users.reduce(into: [:]) { $0[$1.name] = accounts[$1.account] }
        guard desired.blocked != users else { return }
        for (name, quota) in users.sorted(by: { $0.key < $1.key }) where desired.blocked[name] == nil {
            record(.userChanged, .warning, "user \(name) is over a quota, and blocked: \(quota.rawValue)", cause: .quota)
        }
        for name in desired.blocked.keys.sorted() where users[name] == nil {
            record(.userChanged, .info, "user \(name) is within the quotas again", cause: .quota)
        }
        desired.blocked = users
        publishView()
        wake()
    }

    func removeUser(_ name: String) async throws {
        try await loaded()
        let edition = try await changes.withLock {
            guard desired.users.contains(where: { $0.name == name }) else {
                throw OperationError(code: .notFound, message: "there is no user \(name)")
            }
            try await stored { try await ports.store.removeUser(name) }
            desired.users.removeAll { $0.name == name }
            // Whoever gets that name next is another one.
            desired.blocked[name] = nil
            record(.userRemoved, .info, "user \(name) was removed", cause: .operator, by: Originator.current)
            return usersChanged()
        }
        await waitForGateway(edition)
    }

    /// Counts a change of users that is in the store: the next publishing takes it along with all that came before.
    private func usersChanged() -> Int {
        let edition = term.gateway.usersChanged()
        publishView()
        wake()
        return edition
    }

    /// Waits until the gateway has a change of users, which is in the store. Not for long for one that is away: it gets the users when it
    /// is back.
    private func waitForGateway(_ edition: Int) async {
        let (term, begin) = (term, ports.instant)
        while term === self.term, !term.gateway.knowsUsers(edition), !Task.isCancelled {
            let patience = problem(.gateway) == nil ? settings.usersSeconds : settings.usersSecondsIfAway
            guard ports.instant - begin < .seconds(patience) else { return }
            try? await ports.sleep(seconds: 0.01)
        }
    }
}
