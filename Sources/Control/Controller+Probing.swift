import Model
import Planning
import Platform

/// What the fast and the deep probe find, and what it adds up to. When they are made: `Controller+Watching.swift`.
extension Controller {
    // MARK: - Fast

    /// Begins one probe. One that has no answer after the exit's own suspect time counts as failed; if its answer comes later
    /// after all, it counts as the success that it is.
    func beginProbe(_ id: ExitID, _ now: ContinuousClock.Instant) {
        guard let watch = watches[id] else { return }
        watches[id]?.due = nil
        let resolvers = exits[id]?.server.map { ports.keys.facts(of: $0.provider).dns } ?? []
        guard let proxy = exits[id]?.proxy, !resolvers.isEmpty else { return scheduleProbe(id, watch.generation) }
        let (generation, turn) = (watch.generation, watch.turn)
        let resolver = resolvers[turn % resolvers.count]
        watches[id]?.turn += 1
        watches[id]?.suspectAt = now + .seconds(watch.record.suspectSeconds)
        watches[id]?.probe = spawn { controller in
            let result: Result<Double, any Error>
            do { result = .success(try await controller.ports.prober.probe(proxy, resolver: resolver)) } catch { result = .failure(error) }
            await controller.probed(id, generation, turn, result)
        }
    }

    /// The probe under way is late.
    func suspect(_ id: ExitID) {
        guard let watch = watches[id] else { return }
        watches[id]?.suspectAt = nil
        watches[id]?.suspected = watch.turn - 1
        fail(id, .blackhole)
        let generation = watch.generation
        spawn { controller in
            await controller.judge(id, generation)
            controller.scheduleProbe(id, generation)
        }
    }

    private func probed(_ id: ExitID, _ generation: Int, _ turn: Int, _ result: Result<Double, any Error>) async {
        guard isWatched(id, generation), let suspected = watches[id]?.suspected else { return }
        // After one that was suspected the next has been scheduled, if it isn't over too.
        if suspected < turn { watches[id]?.suspectAt = nil }
        switch result {
        case .success(let milliseconds):
            // A server that comes back may be another one, or elsewhere.
            if watches[id]?.record.failures ?? 0 > 0 { hastenDeepProbe(id) }
            watches[id]?.record.succeed(milliseconds: milliseconds, ports.now())
            watches[id]?.probes += 1
            watches[id]?.latencies.append(milliseconds)
            Metrics.probeSeconds.observe(milliseconds / 1000, id.country.rawValue)
            Metrics.probes.add(1, "fast", "ok")
            await judge(id, generation)
        case .failure(let error):
            let failure = error as? ExitFailure
            if failure?.isOurs == true {
                noteUnasked(failure?.detail ?? "")
            } else if suspected < turn {
                // One that was suspected has been counted.
                fail(id, failure?.reason ?? .unknown)
                await judge(id, generation)
            }
        }
        if suspected < turn { scheduleProbe(id, generation) }
    }

    /// Told once a minute: it would be the same for all exits, many times a second.
    private func noteUnasked(_ detail: String) {
        let now = ports.now()
        guard toldUnaskedAt.map({ now - $0 >= 60 }) ?? true else { return }
        toldUnaskedAt = now
        ports.log.warning("exits can't be probed, which says nothing about them", ["error": detail])
    }

    private func fail(_ id: ExitID, _ reason: ExitReason) {
        watches[id]?.record.fail(reason, ports.now())
        watches[id]?.probes += 1
        watches[id]?.failures += 1
        Metrics.probes.add(1, "fast", reason.rawValue)
    }

    /// Takes the verdict that the samples add up to now.
    private func judge(_ id: ExitID, _ generation: Int) async {
        guard let record = watches[id]?.record else { return }
        // Before the last failure that it takes: does anything come through the tunnel all the same? And again while that keeps it alive.
        let late = record.failures - record.failuresUntilDead
        let isKept = late > 0 && late.isMultiple(of: 4) && exits[id]?.health.verdict == .degraded
        if record.failures == 1 || late == -1 || isKept { readTunnel(id, generation) }
        // Not for long: an engine that hangs must not keep a dead exit plugged in.
        if record.failures == record.failuresUntilDead { await waitForReading(of: id) }
        guard isWatched(id, generation) else { return }
        takeVerdict(id, generation)
    }

    private func waitForReading(of id: ExitID) async {
        if let reading = watches[id]?.reading { _ = await ports.result(of: reading, within: 1) }
    }

    func takeVerdict(_ id: ExitID, _ generation: Int) {
        let now = ports.now()
        guard let health = watches[id]?.record.health(now) else { return }
        let before = exits[id]?.health
        let hadChanged = changedWhileLooking.contains(id)
        change(id, generation: generation) { $0.judged(health, now: now) }
        // A probe is no news for the loop unless its verdict is, and a weight can wait for the next pass; nor must it hide the container from the next pass.
        if !hadChanged { changedWhileLooking.remove(id) }
        if before?.verdict != health.verdict {
            Metrics.verdictChanges.add(1, health.verdict.rawValue, health.reason?.rawValue ?? "none")
            failovers.judged(id, isDead: health.verdict == .dead, at: now)
        }
        if before?.verdict != health.verdict, health.verdict == .healthy, let provider = exits[id]?.server?.provider {
            noteKeyTaken(by: provider)
        }
        let isNews = before?.verdict != health.verdict || before?.reason != health.reason
        if isNews { wake() }
        if let exit = exits[id], exit.attempts == 0, exit.provedAt.map({ now - $0 > Exit.secondsUntilProven }) ?? false {
            noteProven(exit)
        }
    }

    private func readTunnel(_ id: ExitID, _ generation: Int) {
        guard let container = exits[id]?.container else { return }
        let previous = watches[id]?.reading
        watches[id]?.reading = spawn { controller in
            await previous?.value
            guard let reading = try? await controller.ports.engine.tunnel(of: container) else { return }
            controller.take(reading, id, generation)
        }
    }

    private func take(_ reading: TunnelReading, _ id: ExitID, _ generation: Int) {
        guard watches[id]?.generation == generation else { return }
        watches[id]?.record.read(reading)
        noteLeaks(reading.leaks, of: id, generation)
    }

    // MARK: - Deep

    func beginDeepProbe(_ id: ExitID) {
        guard let watch = watches[id] else { return }
        watches[id]?.deepDue = nil
        watches[id]?.deepBegan = ports.instant
        // While the fast probe fails it says nothing new, and would count as a fault of its own.
        guard watch.record.failures == 0, let proxy = exits[id]?.proxy else { return scheduleDeepProbe(id, watch.generation) }
        let generation = watch.generation
        watches[id]?.deepProbe = spawn { controller in
            let examination = await controller.ports.prober.examine(proxy)
            controller.examined(id, generation, examination)
        }
    }

    private func examined(_ id: ExitID, _ generation: Int, _ found: Examination) {
        guard isWatched(id, generation), let failures = watches[id]?.record.failures else { return }
        let reason = found.reason == .wrongCountry && !settings.countryMustMatch ? nil : found.reason
        Metrics.probes.add(1, "deep", reason?.rawValue ?? "ok")
        takeComparison(found, of: id)
        // A leak is one also while the fast probe fails.
        if failures == 0 || reason == .leak {
            watches[id]?.record.found(reason, found.detail)
            takeVerdict(id, generation)
            // Where all is well, the tunnel is.
            if reason == nil { skipProbe(id, generation) }
        }
        scheduleDeepProbe(id, generation, isUrgent: failures == 0 && reason != nil)
    }

    // MARK: - History

    /// Writes what the probes of the last while said, for all exits in one go.
    func keepHistory() async {
        while !Task.isCancelled {
            try? await ports.sleep(seconds: settings.historySeconds)
            await saveHistory()
        }
    }

    private func saveHistory() async {
        let now = ports.now()
        var samples: [(exit: ExitID, sample: HealthSample)] = []
        for (id, watch) in watches where watch.probes > 0 {
            guard let health = exits[id]?.health else { continue }
            let latency = watch.latencies.isEmpty ? nil : watch.latencies.sorted()[watch.latencies.count / 2]
            samples.append(
                (
                    id,
                    HealthSample(
                        at: now, verdict: health.verdict, reason: health.reason, probes: watch.probes, failures: watch.failures,
                        latencyMilliseconds: latency, score: health.score)
                ))
            watches[id]?.probes = 0
            watches[id]?.failures = 0
            watches[id]?.latencies = []
        }
        // A history with a hole is no reason to do anything.
        if !samples.isEmpty { try? await ports.store.append(samples) }
    }
}
