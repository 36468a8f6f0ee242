import Model
import Planning
import Platform

/// What the loop does: each step is one call of an adapter.
extension Controller {
    /// False where the gateway does not have what was planned.
    func apply(_ steps: [Step]) async -> Bool {
        guard ports.leadership.isLeader else { return false }
        // What takes long is begun first.
        for step in steps {
            switch step {
            case .findServers(let country): findServers(country)
            case .ask(let country, let servers): ask(country, servers)
            case .launch(let id):
                launches[id.country, default: []].append(ports.now())
                begin(id) { await $0.launch(id) }
            case .verify(let id): begin(id) { await $0.verify(id) }
            case .remove, .publish: continue
            }
        }
        // The gateway lets go of an exit before its container is removed.
        var isPublished = true
        for case .publish(let layout) in steps { isPublished = await publish(layout) }
        guard isPublished, ports.leadership.isLeader else { return isPublished }
        for case .remove(let container) in steps { remove(container) }
        return true
    }

    private func begin(_ id: ExitID, _ body: @escaping @Sendable (isolated Controller) async -> Void) {
        guard operations[id] == nil else { return }
        operations[id] = spawn { controller in
            await body(controller)
            controller.finish(id)
        }
    }

    private func finish(_ id: ExitID) {
        operations[id] = nil
        changedWhileLooking.insert(id)
        wake()
    }

    private func findServers(_ country: CountryCode) {
        guard let pool = desired.pools[country], searches.insert(country).inserted else { return }
        searchedAt[country] = ports.now()
        spawn { await $0.findServers(of: pool) }
    }

    private func findServers(of pool: Pool) async {
        let country = pool.country
        do {
            let ranked = try await ports.catalog.ranked(for: pool)
            // Meanwhile the pool may have become another one.
            if desired.pools[country] == pool { servers[country] = (ranked, ports.now()) }
            noteFound(country)
        } catch {
            searchProblems[country] = "\(error)"
            note(.catalog, error)
            // Not at every pass: wait a moment before the next question.
            try? await ports.sleep(seconds: 1)
        }
        searches.remove(country)
        wake()
    }

    /// One pool's servers were found; another's may still be missing.
    func noteFound(_ country: CountryCode) {
        searchProblems[country] = nil
        searchProblems = searchProblems.filter { desired.pools[$0.key] != nil }
        if searchProblems.isEmpty { clear(.catalog) }
    }

    // MARK: - One exit

    private func launch(_ id: ExitID) async {
        guard let exit = exits[id], let server = exit.server else { return }
        do {
            let key = try await privateKey(of: server.provider)
            let specification = ExitSpecification(
                id: id, generation: exit.generation, server: server, facts: ports.keys.facts(of: server.provider), privateKey: key,
                checkName: settings.checkName)
            let (container, endpoint) = try await launchAtFreeAddress(specification)
            let now = ports.now()
            change(id, generation: exit.generation) { $0.launched(container: container, endpoint: endpoint, now: now) }
            await verify(id)
        } catch let failure as ExitFailure where failure.reason == .noAddress {
            let now = ports.now()
            change(id, generation: exit.generation) { $0.postpone(.noAddress, failure.detail, until: now + 1, now: now) }
        } catch {
            let failure = error as? ExitFailure ?? ExitFailure(reason: .startFailed, detail: "\(error)")
            fail(id, generation: exit.generation, failure)
        }
    }

    private func privateKey(of provider: ProviderName) async throws -> Secret {
        do { return try await ports.keys.privateKey(of: provider) } catch let error as ExitFailure {
            throw error
        } catch {
            throw ExitFailure(reason: .credentialsMissing, detail: "\(error)")
        }
    }

    private func verify(_ id: ExitID) async {
        guard let exit = exits[id], let proxy = exit.proxy, exit.state == .verifying else { return }
        let deadline = ports.instant + .seconds(settings.verifySeconds)
        var last = ExitFailure(
            reason: .verifyTimeout, detail: "its proxy did not open within \(Int(settings.verifySeconds)) s",
            // Without the engine nobody knows whether its container runs.
            isServersFault: alerts.troubles[.engine] == nil)
        while ports.instant < deadline {
            // A proxy that does not listen yet may do so in a moment; what services answer will not be another in that.
            var pause = 0.5
            do {
                let sighting = try await ports.prober.verify(proxy)
                if let country = sighting.country, country != id.country, settings.countryMustMatch {
                    last = ExitFailure(reason: .wrongCountry, detail: "the internet sees it in \(country)", isServersFault: true)
                    break
                }
                let now = ports.now()
                return change(id, generation: exit.generation) {
                    $0.verified(
                        address: sighting.address, country: sighting.country, latencyMilliseconds: sighting.latencyMilliseconds,
                        isCompared: sighting.isCompared, now: now)
                }
            } catch let failure as ExitFailure {
                if failure.isNotYet { pause = 0.02 } else { last = failure }
                if failure.reason == .leak || failure.reason == .wrongProxy { break }
            } catch {
                last = ExitFailure(reason: .unknown, detail: "\(error)")
            }
            // Cancelled because its container ended: the next pass finds out why.
            if Task.isCancelled { return }
            try? await ports.sleep(seconds: pause)
        }
        fail(id, generation: exit.generation, last)
    }

    private func fail(_ id: ExitID, generation: Int, _ failure: ExitFailure) {
        let now = ports.now()
        change(id, generation: generation) {
            $0.failed(failure.reason, failure.detail, avoidServer: failure.isServersFault, now: now)
        }
        // What the engine did not begin is no container of the pool's.
        if failure.reason == .engineUnavailable { _ = launches[id.country]?.popLast() }
    }

    // MARK: - Gateway and containers

    private func publish(_ layout: GatewayLayout) async -> Bool {
        do {
            try await ports.gateway.publish(layout)
            published = layout
            notePlugged(layout)
            clear(.gateway)
            return true
        } catch {
            note(.gateway, error)
            published = nil
            return false
        }
    }

    private func notePlugged(_ layout: GatewayLayout) {
        let ready = Set(layout.pools.flatMap { pool in pool.slots.filter { $0.state == .ready }.map { "\(pool.country)/\($0.number)" } })
        let now = Set(exits.values.filter { ready.contains("\($0.country)/\($0.slot)") }.map(\.id))
        guard now != plugged else { return }
        let time = ports.now()
        for id in now.subtracting(plugged).sorted() {
            guard let (seconds, cause) = failovers.serves(id.country, at: time) else { continue }
            Metrics.failoverDuration.observe(seconds, cause)
            ports.log.info("exit \(id) serves in the place of one that was lost", ["after_s": Figures.decimal(seconds, digits: 2)])
        }
        plugged = now
        publishView()
    }

    private func remove(_ container: String) {
        guard removing.insert(container).inserted else { return }
        spawn { await $0.removeNow(container) }
    }

    private func removeNow(_ container: String) async {
        do {
            await tellLastWords(of: container)
            try await ports.engine.remove(container)
            removalTries[container] = nil
            alerts.clear(stuck: container)
        } catch {
            ports.log.warning("container can't be removed", ["container": container, "error": "\(error)"])
            removalTries[container, default: 0] += 1
            // Whoever must be called is called once; the tries go on, seldom.
            let tries = removalTries[container] ?? 1
            if tries >= 3, alerts.troubles[.engine] == nil { alerts.note(stuck: container, "\(error)") }
            try? await ports.sleep(seconds: min(60, settings.removalSeconds * Double(tries)))
        }
        removing.remove(container)
        wake()
    }

    /// What a container that failed said last goes with it: keep it in our log.
    private func tellLastWords(of container: String) async {
        guard let words = try? await ports.engine.logs(of: container, lines: 5), let last = words.split(separator: "\n").last else {
            return
        }
        if !last.contains("proxy listening") { ports.log.warning("container \(container) said", ["last": String(last.prefix(300))]) }
    }
}
