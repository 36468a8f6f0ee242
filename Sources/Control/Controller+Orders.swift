package import Model
import Planning
import Platform

/// An operator's change as a value, so that any controller can take it and the one that leads carries it out.
package enum Order: Codable, Sendable, Equatable {
    case addExit(ExitRequest)
    case removeExit(ExitID)
    case rotate(ExitID)
    case setPool(Pool)
    case removePool(CountryCode)
    case addUser(ProxyUser)
    case changeUser(ProxyUser)
    case removeUser(String)
}

/// An order on its way, with who asked for it: fields of one object, so that a version that knows no `by` reads it too.
package struct HandedOrder: Codable, Sendable, Equatable {
    package var order: Order
    package var by: String?

    package init(_ order: Order, by: String? = nil) {
        self.order = order
        self.by = by
    }

    private enum Key: String, CodingKey { case by }

    package init(from decoder: any Decoder) throws {
        order = try Order(from: decoder)
        by = try decoder.container(keyedBy: Key.self).decodeIfPresent(String.self, forKey: .by)
    }

    package func encode(to encoder: any Encoder) throws {
        try order.encode(to: encoder)
        var fields = encoder.container(keyedBy: Key.self)
        try fields.encodeIfPresent(by, forKey: .by)
    }
}

/// What became of an order.
package enum OrderAnswer: Codable, Sendable, Equatable {
    case done
    case exit(Exit)
    /// It was meant for a leader that was replaced before it was taken: nothing was done.
    case missed
    case refused(code: String, message: String)
}

/// Carries orders from controllers that follow to the one that leads.
package protocol OrderRelay: Sendable {
    func send(_ order: HandedOrder, id: String) async throws
    /// False when the order was taken already.
    func withdraw(_ order: HandedOrder, id: String) async throws -> Bool
    /// The answer to an order; nil while there is none.
    func answer(to id: String) async throws -> OrderAnswer?
    /// The oldest order that nobody has taken yet.
    func next() async throws -> (id: String, order: HandedOrder)?
    func answer(_ id: String, with answer: OrderAnswer) async throws
}

extension Controller {
    /// Carries an operator's change out, here or by the controller that leads; the exit that it was about, if any.
    @discardableResult
    package func carryOut(_ order: Order) async throws -> Exit? {
        guard let relay = ports.orders, !ports.leadership.isLeader else { return try await perform(order) }
        return try await pass(on: HandedOrder(order, by: Originator.current), by: relay)
    }

    private func perform(_ order: Order) async throws -> Exit? {
        switch order {
        case .addExit(let wish): return try await addExit(wish)
        case .removeExit(let id): return try await removeExit(id)
        case .rotate(let id): return try await rotate(id)
        case .setPool(let pool): try await setPool(pool)
        case .removePool(let country): try await removePool(country)
        case .addUser(let user): try await addUser(user)
        case .changeUser(let user): try await changeUser(user)
        case .removeUser(let name): try await removeUser(name)
        }
        return nil
    }

    // MARK: - Where we follow

    private func pass(on order: HandedOrder, by relay: any OrderRelay) async throws -> Exit? {
        var id = Digest.randomHex(bytes: 12)
        do {
            try await relay.send(order, id: id)
            let end = ports.instant + .seconds(settings.orderSeconds)
            while ports.instant < end {
                if let answer = try await relay.answer(to: id) {
                    // What the leader did is shown here too before it is answered, and who leads now is known.
                    await claimLease()
                    guard answer == .missed else { return try result(of: answer) }
                    id = Digest.randomHex(bytes: 12)
                    try await relay.send(order, id: id)
                }
                try await ports.sleep(seconds: 0.02)
            }
            guard try await relay.withdraw(order, id: id) else {
                throw OperationError(
                    code: .notLeader, message: "the leader has taken the change and not said what became of it; look first")
            }
        } catch let error as OperationError {
            throw error
        } catch {
            throw OperationError(code: .storeUnavailable, message: "the change may not have reached the leader: \(error)")
        }
        throw OperationError(code: .notLeader, message: "nothing was changed, for no controller leads")
    }

    private func result(of answer: OrderAnswer) throws -> Exit? {
        switch answer {
        case .done, .missed: return nil
        case .exit(let exit): return exit
        case .refused(let code, let message): throw OperationError(code: .init(rawValue: code) ?? .storeUnavailable, message: message)
        }
    }

    // MARK: - Where we lead

    /// Carries out what the others hand over.
    func takeOrders() async {
        guard let relay = ports.orders else { return }
        while !Task.isCancelled {
            // Those that wait too long are told to the follower, which knows what to say.
            while ports.leadership.isLeader, let (id, order) = try? await relay.next() { spawn { await $0.take(order, id: id, relay) } }
            try? await ports.sleep(seconds: 0.2)
        }
    }

    private func take(_ order: HandedOrder, id: String, _ relay: any OrderRelay) async {
        let answer: OrderAnswer
        do {
            let exit = try await Originator.$current.withValue(order.by) { try await perform(order.order) }
            answer = exit.map(OrderAnswer.exit) ?? .done
        } catch let error as OperationError {
            answer = .refused(code: error.code.rawValue, message: error.message)
        } catch {
            answer = .refused(code: OperationError.Code.storeUnavailable.rawValue, message: "\(error)")
        }
        try? await relay.answer(id, with: answer)
    }
}
