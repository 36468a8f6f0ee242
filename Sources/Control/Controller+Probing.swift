import Model
import Planning
import Platform

/// The probes of one exit's container.
struct Watch {
    var generation: Int
    var record: HealthRecord
    var task: Task<Void, Never>?
    /// Makes the next probe come at once.
    var nudge: AsyncStream<Void>.Continuation
    /// What the history hears of at the end of the period.
    var probes = 0
    var failures = 0
    var latencies: [Double] = []
    /// The reading of the tunnel's counters that is under way.
    var reading: Task<Void, Never>?
    /// The number of the next probe, of the last one that ended, and of the last one that was late.
    var turn = 0
    var ended = -1
    var suspected = -1
}

/// Each exit with a proved tunnel has a watch: a fast probe at short intervals, a deep one seldom.
extension Controller {
    /// Begins and ends watches so that they are those of the exits that there are.
    func followWatches() {
        // One that follows shows the leader's verdicts; one that only waits for the store goes on looking for the truth.
        let probed = hasLoaded ? exits.filter(\.value.state.isProbed) : [:]
        for (id, watch) in watches where probed[id]?.generation != watch.generation {
            watch.task?.cancel()
            watch.nudge.finish()
            watches[id] = nil
            forgetHandshake(of: id)
            failovers.judged(id, isDead: false, at: parts.now())
        }
        for exit in probed.values where watches[exit.id] == nil {
            let (bell, nudge) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
            let record = HealthRecord(expectedMilliseconds: exit.health.latencyMilliseconds)
            watches[exit.id] = Watch(generation: exit.generation, record: record, nudge: nudge)
            let (id, generation) = (exit.id, exit.generation)
            watches[id]?.task = Task {
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { await self.probeFast(id, generation, bell) }
                    group.addTask { await self.probeDeep(id, generation) }
                    group.addTask { await self.readHandshakes(of: id, generation) }
                }
            }
        }
    }

    private func isWatched(_ id: ExitID, _ generation: Int) -> Bool { !Task.isCancelled && watches[id]?.generation == generation }

    /// Seconds between two fast probes of an exit: longer where there are so many exits that probing would be felt, and then
    /// twice as long for one that nobody uses.
    private func probeInterval(of id: ExitID) -> Double {
        let shared = Double(watches.count) / settings.probesPerSecond
        guard shared > settings.probeSeconds else { return settings.probeSeconds }
        return usedSlots.contains(id) ? shared : 2 * shared
    }

    // MARK: - Fast

    private func probeFast(_ id: ExitID, _ generation: Int, _ bell: AsyncStream<Void>) async {
        var rings = bell.makeAsyncIterator()
        // Not all exits in step.
        await pause(Double.random(in: 0...0.5) * settings.probeSeconds, of: id, &rings)
        while isWatched(id, generation) {
            await probeOnce(id, generation)
            guard let failures = watches[id]?.record.failures else { return }
            // A failure wants to be confirmed at once; a dead exit need not be asked so often.
            let isSuspect = failures > 0 && failures < 12
            await pause(isSuspect ? 0.02 : probeInterval(of: id), of: id, &rings)
        }
    }

    /// Waits so long, or until a nudge.
    private func pause(_ seconds: Double, of id: ExitID, _ rings: inout AsyncStream<Void>.AsyncIterator) async {
        guard let nudge = watches[id]?.nudge else { return }
        let end = Self.beat(after: seconds)
        let alarm = Task {
            guard (try? await Task.sleep(until: end, clock: .continuous)) != nil else { return }
            nudge.yield()
        }
        _ = await rings.next(isolation: self)
        alarm.cancel()
    }

    /// The end of a pause. Long ones end on the beat of a clock that all exits share: probes of many exits go out together, and
    /// wake this process once.
    private static func beat(after seconds: Double) -> ContinuousClock.Instant {
        let end = ContinuousClock.now + .seconds(seconds)
        guard seconds >= 0.25 else { return end }
        let beats = ((end - started) / .milliseconds(50)).rounded(.up)
        return started + .milliseconds(50) * beats
    }

    private static let started = ContinuousClock.now

    /// One probe. One that has no answer after the exit's own suspect time counts as failed; if its answer comes later after
    /// all, it counts as the success that it is.
    private func probeOnce(_ id: ExitID, _ generation: Int) async {
        guard let exit = exits[id], let endpoint = exit.endpoint, let server = exit.server, let watch = watches[id] else { return }
        let resolvers = parts.keys.facts(of: server.provider).dns
        guard !resolvers.isEmpty else { return }
        let turn = watch.turn
        watches[id]?.turn += 1
        let resolver = resolvers[turn % resolvers.count]
        let (ends, end) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let probe = Task {
            let result: Result<Double, any Error>
            do { result = .success(try await parts.prober.probe(endpoint, resolver: resolver)) } catch { result = .failure(error) }
            await probed(id, generation, turn, result)
            end.finish()
        }
        let suspectSeconds = watch.record.suspectSeconds
        let alarm = Task {
            try? await Task.sleep(for: .seconds(suspectSeconds))
            end.yield()
        }
        for await _ in ends { break }
        alarm.cancel()
        if Task.isCancelled { return probe.cancel() }
        guard isWatched(id, generation), watches[id]?.ended != turn else { return }
        watches[id]?.suspected = turn
        fail(id, .blackhole)
        await judge(id, generation)
    }

    private func probed(_ id: ExitID, _ generation: Int, _ turn: Int, _ result: Result<Double, any Error>) async {
        guard isWatched(id, generation) else { return }
        watches[id]?.ended = turn
        switch result {
        case .success(let milliseconds):
            watches[id]?.record.succeed(milliseconds: milliseconds, parts.now())
            watches[id]?.probes += 1
            watches[id]?.latencies.append(milliseconds)
            Metrics.probeSeconds.observe(milliseconds / 1000, id.country.rawValue)
            Metrics.probes.add(1, "fast", "ok")
        case .failure(let error):
            let failure = error as? ExitFailure
            if failure?.isOurs == true { return noteUnasked(failure?.detail ?? "") }
            // One that was suspected has been counted.
            guard watches[id]?.suspected ?? -1 < turn else { return }
            fail(id, failure?.reason ?? .unknown)
        }
        await judge(id, generation)
    }

    /// Told once a minute: it would be the same for all exits, many times a second.
    private func noteUnasked(_ detail: String) {
        let now = parts.now()
        guard toldUnaskedAt.map({ now - $0 >= 60 }) ?? true else { return }
        toldUnaskedAt = now
        parts.log.warning("exits can't be probed, which says nothing about them", ["error": detail])
    }

    private func fail(_ id: ExitID, _ reason: ExitReason) {
        watches[id]?.record.fail(reason, parts.now())
        watches[id]?.probes += 1
        watches[id]?.failures += 1
        Metrics.probes.add(1, "fast", reason.rawValue)
    }

    /// Takes the verdict that the samples add up to now.
    private func judge(_ id: ExitID, _ generation: Int) async {
        guard let record = watches[id]?.record else { return }
        // Before the last failure that it takes: does anything come through the tunnel all the same?
        if record.failures == 1 || record.failures == record.failuresUntilDead - 1 { readTunnel(id, generation) }
        // Not for long: an engine that hangs must not keep a dead exit plugged in.
        if record.failures == record.failuresUntilDead { _ = await watches[id]?.reading?.result(within: 1) }
        guard isWatched(id, generation) else { return }
        takeVerdict(id, generation)
    }

    private func takeVerdict(_ id: ExitID, _ generation: Int) {
        let now = parts.now()
        guard let health = watches[id]?.record.health(now) else { return }
        let before = exits[id]?.health
        let hadChanged = changedWhileLooking.contains(id)
        change(id, generation: generation) { $0.judged(health, now: now) }
        // A probe is no news for the loop unless its verdict is, and a weight can wait for the next look; nor must it hide the container from the next look.
        if !hadChanged { changedWhileLooking.remove(id) }
        if before?.verdict != health.verdict {
            Metrics.verdictChanges.add(1, health.verdict.rawValue, health.reason?.rawValue ?? "none")
            failovers.judged(id, isDead: health.verdict == .dead, at: now)
        }
        let isNews = before?.verdict != health.verdict || before?.reason != health.reason
        if isNews { ring() }
        if let exit = exits[id], exit.attempts == 0, exit.provedAt.map({ now - $0 > Exit.secondsUntilProven }) ?? false {
            noteProven(exit)
        }
    }

    private func readTunnel(_ id: ExitID, _ generation: Int) {
        guard let container = exits[id]?.container else { return }
        let previous = watches[id]?.reading
        watches[id]?.reading = Task {
            await previous?.value
            guard let reading = try? await parts.engine.tunnel(of: container) else { return }
            take(reading, id, generation)
        }
    }

    private func take(_ reading: TunnelReading, _ id: ExitID, _ generation: Int) {
        if watches[id]?.generation == generation { watches[id]?.record.read(reading) }
    }

    // MARK: - Deep

    private func probeDeep(_ id: ExitID, _ generation: Int) async {
        try? await Task.sleep(for: .seconds(settings.deepSeconds * Double.random(in: 0.2...1)))
        while isWatched(id, generation) {
            guard let exit = exits[id], let endpoint = exit.endpoint, let watch = watches[id] else { return }
            // While the fast probe fails it says nothing new, and would count as a fault of its own.
            if watch.record.failures == 0 {
                let reason = await parts.prober.examine(endpoint, country: id.country)
                guard isWatched(id, generation), let now = watches[id]?.record.failures else { return }
                Metrics.probes.add(1, "deep", reason?.rawValue ?? "ok")
                if now == 0 {
                    watches[id]?.record.found(reason)
                    takeVerdict(id, generation)
                    if reason != nil {
                        // Confirm it soon.
                        try? await Task.sleep(for: .seconds(min(1, settings.deepSeconds)))
                        continue
                    }
                }
            }
            try? await Task.sleep(for: .seconds(settings.deepSeconds * Double.random(in: 0.9...1.1)))
        }
    }

    // MARK: - History

    /// Writes what the probes of the last while said, for all exits in one go.
    func keepHistory() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(settings.historySeconds))
            await saveHistory()
        }
    }

    private func saveHistory() async {
        let now = parts.now()
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
        if !samples.isEmpty { try? await parts.store.append(samples) }
    }
}
