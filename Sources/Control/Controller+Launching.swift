import Model
import Planning
import Platform

/// One exit: its container is started, and its tunnel proved.
extension Controller {
    func launch(_ id: ExitID) async {
        guard let exit = exits[id], let server = exit.server else { return }
        do {
            let access = try await access(to: server)
            let specification = ExitSpecification(
                id: id, generation: exit.generation, server: server, facts: access.facts, privateKey: access.privateKey,
                checkName: settings.checkName)
            let (container, endpoint) = try await launchAtFreeAddress(specification)
            let now = ports.now()
            change(id, generation: exit.generation) {
                $0.keyName = access.keyName
                $0.launched(container: container, endpoint: endpoint, now: now)
            }
            await verify(id)
        } catch let failure as ExitFailure where failure.reason == .noAddress {
            let now = ports.now()
            change(id, generation: exit.generation) { $0.postpone(.noAddress, failure.detail, until: now + 1, now: now) }
        } catch {
            let failure = error as? ExitFailure ?? ExitFailure(reason: .startFailed, detail: "\(error)")
            fail(id, generation: exit.generation, failure)
        }
    }

    private func access(to server: Server) async throws -> TunnelAccess {
        do { return try await ports.keys.access(to: server) } catch let error as ExitFailure {
            throw error
        } catch {
            throw ExitFailure(reason: .credentialsMissing, detail: "\(error)")
        }
    }

    func verify(_ id: ExitID) async {
        guard let exit = exits[id], let proxy = exit.proxy, exit.state == .verifying else { return }
        let deadline = ports.instant + .seconds(settings.verifySeconds)
        var last = ExitFailure(
            reason: .verifyTimeout, detail: "its proxy did not open within \(Int(settings.verifySeconds)) s",
            // Without the engine nobody knows whether its container runs.
            isServersFault: problem(.engine) == nil)
        while ports.instant < deadline {
            // A proxy that does not listen yet may do so in a moment; what services answer will not be another in that.
            var pause = 0.5
            switch await verification(of: proxy, in: id.country) {
            case .verified(let sighting): return verified(id, generation: exit.generation, sighting)
            case .notYet: pause = 0.02
            case .failed(let failure): last = failure
            case .failedForGood(let failure): return fail(id, generation: exit.generation, failure)
            }
            // Cancelled because its container ended: the next pass finds out why.
            if Task.isCancelled { return }
            try? await ports.sleep(seconds: pause)
        }
        fail(id, generation: exit.generation, last)
    }

    private enum Verification {
        case verified(Sighting)
        /// The exit's proxy does not listen yet.
        case notYet
        case failed(ExitFailure)
        /// Another try can't end differently.
        case failedForGood(ExitFailure)
    }

    private func verification(of proxy: ExitProxy, in wanted: CountryCode) async -> Verification {
        do {
            let sighting = try await ports.prober.verify(proxy)
            guard let country = sighting.country, country != wanted, settings.countryMustMatch else { return .verified(sighting) }
            let detail = "address services see it in \(country)"
            return .failedForGood(ExitFailure(reason: .wrongCountry, detail: detail, isServersFault: true))
        } catch let failure as ExitFailure {
            if failure.reason == .leak || failure.reason == .wrongProxy { return .failedForGood(failure) }
            return failure.isNotYet ? .notYet : .failed(failure)
        } catch {
            return .failed(ExitFailure(reason: .unknown, detail: "\(error)"))
        }
    }

    private func verified(_ id: ExitID, generation: Int, _ sighting: Sighting) {
        let now = ports.now()
        change(id, generation: generation) {
            $0.verified(
                address: sighting.address, country: sighting.country, latencyMilliseconds: sighting.latencyMilliseconds,
                isCompared: sighting.isCompared, now: now)
        }
    }

    private func fail(_ id: ExitID, generation: Int, _ failure: ExitFailure) {
        let now = ports.now()
        change(id, generation: generation) {
            $0.failed(failure.reason, failure.detail, avoidServer: failure.isServersFault, now: now)
        }
        // What the engine did not begin is no container of the pool's.
        if failure.reason == .engineUnavailable { term.launches.withdrawLatest(id.country) }
    }
}
