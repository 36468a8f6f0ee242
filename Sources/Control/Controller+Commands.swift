package import Model
import Platform

extension Controller {
    /// Carries a command out, here or by the controller that leads. A change is in the store before this returns.
    /// - Returns: the exit that the command is about; nil where it is about none.
    /// - Throws: `OperationError`.
    @discardableResult
    package func execute(_ command: ControllerCommand) async throws -> Exit? {
        guard let relay = ports.commands, !ports.leadership.isLeader else { return try await perform(command) }
        return try await forward(ForwardedCommand(command, by: Originator.current), by: relay)
    }

    private func perform(_ command: ControllerCommand) async throws -> Exit? {
        switch command {
        case .addExit(let request): return try await addExit(request)
        case .removeExit(let id): return try await removeExit(id)
        case .rotateExit(let id): return try await rotateExit(id)
        case .setPool(let pool): try await setPool(pool)
        case .removePool(let country): try await removePool(country)
        case .addUser(let user): try await addUser(user)
        case .changeUser(let user): try await changeUser(user)
        case .removeUser(let name): try await removeUser(name)
        }
        return nil
    }

    // MARK: - Where we follow

    private func forward(_ command: ForwardedCommand, by relay: any CommandRelay) async throws -> Exit? {
        var id = Digest.randomHex(bytes: 12)
        do {
            try await relay.send(command, id: id)
            let end = ports.instant + .seconds(settings.commandSeconds)
            while ports.instant < end {
                if let answer = try await relay.answer(to: id) {
                    // What the leader did is shown here too before it is answered, and who leads now is known.
                    await claimLease()
                    guard answer == .missed else { return try result(of: answer) }
                    id = Digest.randomHex(bytes: 12)
                    try await relay.send(command, id: id)
                }
                try await ports.sleep(seconds: 0.02)
            }
            guard try await relay.withdraw(command, id: id) else {
                throw OperationError(
                    code: .notLeader, message: "the leader has taken the change but did not answer; check whether it was made")
            }
        } catch let error as OperationError {
            throw error
        } catch {
            throw OperationError(code: .storeUnavailable, message: "the change may not have reached the leader: \(error)")
        }
        throw OperationError(code: .notLeader, message: "nothing was changed: no controller leads")
    }

    private func result(of answer: CommandAnswer) throws -> Exit? {
        switch answer {
        case .done, .missed: return nil
        case .exit(let exit): return exit
        case .refused(let code, let message): throw OperationError(code: .init(rawValue: code) ?? .storeUnavailable, message: message)
        }
    }

    // MARK: - Where we lead

    /// Carries out what followers hand over, until its task is cancelled.
    func takeCommands() async {
        guard let relay = ports.commands else { return }
        while !Task.isCancelled {
            // Those that wait too long are told to the follower, which knows what to say.
            while ports.leadership.isLeader, let (id, command) = try? await relay.next() {
                spawn { await $0.take(command, id: id, relay) }
            }
            try? await ports.sleep(seconds: 0.2)
        }
    }

    private func take(_ forwarded: ForwardedCommand, id: String, _ relay: any CommandRelay) async {
        let answer: CommandAnswer
        do {
            let exit = try await Originator.$current.withValue(forwarded.by) { try await perform(forwarded.command) }
            answer = exit.map(CommandAnswer.exit) ?? .done
        } catch let error as OperationError {
            answer = .refused(code: error.code.rawValue, message: error.message)
        } catch {
            answer = .refused(code: OperationError.Code.storeUnavailable.rawValue, message: "\(error)")
        }
        try? await relay.answer(id, with: answer)
    }

    // MARK: - Shared by commands

    /// Until the store was read, nobody knows what a change would change.
    func loaded() async throws {
        if !term.isLoaded { try await stored { try await load() } }
    }

    /// - Throws: `not_found`.
    func known(_ id: ExitID) throws -> Exit {
        guard let exit = exits[id] else { throw OperationError(code: .notFound, message: "there is no exit \(id)") }
        return exit
    }

    func stored(_ body: () async throws -> Void) async throws {
        do {
            try await body()
            clear(.store)
        } catch let error as NotLeader {
            throw OperationError(code: .notLeader, message: "nothing was changed: \(error); try again")
        } catch let error as StoreFull {
            note(.store, error)
            throw OperationError(code: .storeUnavailable, message: "nothing was changed: \(error)")
        } catch {
            note(.store, error)
            throw OperationError(code: .storeUnavailable, message: "nothing was changed: the store does not answer: \(error)")
        }
    }
}
