package import Model
import Planning
import Platform

/// How lists get into the catalog.
extension Catalog {
    /// Times in a row that a list must look cut short before it is believed.
    private static let acceptedAfter = 3

    /// Fetches what is missing or old, of all providers at once, and waits only for a list that the caller can't do without.
    ///
    /// - Parameters:
    ///   - provider: whose list is needed; nil where any will do. Then the others have a moment too, so that a start's first answers are not
    ///     those of the fastest alone.
    ///   - country: what the list is needed for, where it is one country.
    /// - Throws: what stands in the way, in the words of those who should have given a list.
    package func refresh(for provider: ProviderName? = nil, country: CountryCode? = nil) async throws {
        let wanted = providers.filter { provider == nil || provider == $0 }
        let begin = ContinuousClock.now
        for source in sources { beginFetch(source, for: country) }
        while !Task.isCancelled {
            let awaited = wanted.filter { self[$0].listing == nil && self[$0].fetch != nil }
            let isServed = wanted.contains { self[$0].listing != nil }
            let ends = awaited.map { name in
                isServed
                    ? (self[name].fetchBegunAt ?? begin) + .seconds(settings.shortPatience)
                    : begin + .seconds(self[name].error == nil ? settings.patience : settings.shortPatience)
            }
            guard let end = ends.max(), end > .now else { break }
            await waitForFetch(until: end)
        }
        if !wanted.contains(where: { self[$0].listing != nil }) { throw lack(of: wanted) }
    }

    /// Why there is no list of these providers.
    func lack(of providers: [ProviderName]) -> any Error {
        guard !providers.isEmpty else { return CatalogError(message: "no provider is configured") }
        let known = providers.map { self[$0].error ?? CatalogError(message: "\($0) has not answered yet") }
        if known.count == 1 { return known[0] }
        let words = known.map { ($0 as? CatalogError)?.message ?? "\($0)" }
        return CatalogError(message: words.joined(separator: "; "), isUnreadable: known.allSatisfy(Self.isUnreadable))
    }

    /// True for an error of somebody who answers, but with nothing that can be used: another trouble than one that can't be asked.
    package static func isUnreadable(_ error: any Error) -> Bool {
        (error as? CatalogError)?.isUnreadable ?? (error as? any SourceFailure)?.isUnreadable ?? false
    }

    private func isOld(_ provider: ProviderName, for country: CountryCode?) -> Bool {
        let period = isLocal(provider) ? settings.localSeconds : settings.period(of: provider, for: country) * self[provider].jitter
        return self[provider].listing.map { SystemClock.now() - $0.fetchedAt > period } ?? true
    }

    private func mayAsk(_ provider: ProviderName) -> Bool {
        let now = SystemClock.now()
        return (self[provider].retryAt.map { now >= $0 } ?? true) && breakers.allows(.list, provider)
    }

    private func beginFetch(_ source: any ServerSource, for country: CountryCode?) {
        let name = source.provider
        guard self[name].fetch == nil, isOld(name, for: country), mayAsk(name) || mayRecall(name) else { return }
        self[name].fetchBegunAt = .now
        self[name].fetch = Task {
            // A stored list is there at once, and what its age asks for comes after it.
            await recall(name)
            if self[name].listing != nil { notifyWaiters() }
            if isOld(name, for: country), mayAsk(name) { await fetch(source) }
            self[name].fetch = nil
            notifyWaiters()
        }
    }

    // MARK: - Waiting

    private func notifyWaiters() { for waiter in waiters.values { waiter.yield() } }

    /// Returns when a list has come, a fetch has ended, or at `end`.
    private func waitForFetch(until end: ContinuousClock.Instant) async {
        let (rings, bell) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingOldest(1))
        nextWaiter += 1
        let number = nextWaiter
        waiters[number] = bell
        let alarm = Task {
            try? await Task.sleep(until: end, clock: .continuous)
            bell.finish()
        }
        for await _ in rings { break }
        alarm.cancel()
        waiters[number] = nil
    }

    // MARK: - One fetch

    func take(_ listing: Listing, of provider: ProviderName) {
        self[provider].take(listing)
        Metrics.catalogServers.set(Double(listing.servers.count), provider.rawValue)
        Metrics.catalogFetched.set(Double(listing.fetchedAt.milliseconds) / 1000, provider.rawValue)
        forgetAbsent(SystemClock.now())
        changed()
    }

    private func fetch(_ source: any ServerSource) async {
        let name = source.provider
        let right = await rightToFetch(name)
        if case .served = right { return }
        // Whoever of us it was that it has refused, before or after a restart: it is left alone by all.
        if await !isRefusedElsewhere(name), breakers.begin(.list, name) { await askAndNote(source) }
        await release(right, name)
    }

    private func askAndNote(_ source: any ServerSource) async {
        let name = source.provider
        let begin = ContinuousClock.now
        do {
            try await ask(source)
            breakers.succeed(.list, name)
            self[name].succeeded()
            changed()
            await share(nil, name)
        } catch {
            failed(name, error, after: (ContinuousClock.now - begin) / .seconds(1))
            let failure = error as? any SourceFailure
            if failure?.isRefusal ?? false || failure?.retryAfter != nil { await share(breakers[.list, name], name) }
        }
    }

    private func ask(_ source: any ServerSource) async throws {
        let name = source.provider
        // What was held back must be told again, not be called unchanged.
        let stamp = self[name].suspicion == nil ? self[name].listing?.stamp : nil
        switch try await source.list(newerThan: stamp) {
        case .unchanged: try takeUnchanged(name)
        case .list(let servers, let dropped, let stamp): try takeNew(servers, dropped, stamp, of: name)
        }
        await keep(name)
    }

    private func takeUnchanged(_ name: ProviderName) throws {
        guard var listing = self[name].listing else {
            throw CatalogError(message: "\(name) answered 304 (unchanged), but no list is stored", isUnreadable: true)
        }
        listing.fetchedAt = SystemClock.now()
        listing.shrinkage = listing.shrinkage.flatMap { $0.isOver(listing.servers, listing.fetchedAt) ? nil : $0 }
        take(listing, of: name)
        Metrics.catalogFetches.add(1, name.rawValue, "unchanged")
        log.debug("catalog of \(name): unchanged")
    }

    private func takeNew(_ servers: [Server], _ dropped: [String: Int], _ stamp: ListStamp?, of name: ProviderName) throws {
        let reasons = dropped.isEmpty ? "none" : dropped.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        // No provider has given up all of its servers: such an answer must not cost us the list that we have.
        guard !servers.isEmpty else {
            let isOfOtherShape = dropped.keys.elementsEqual(["unreadable"])
            let what = isOfOtherShape ? "sends a list of a shape that is not known" : "lists no usable server"
            throw CatalogError(message: "\(name) \(what) (dropped: \(reasons))", isUnreadable: true)
        }
        let shrinkage = isLocal(name) ? nil : try checkShrinkage(of: servers, unreadable: dropped["unreadable"] ?? 0, by: name)
        let listing = StoredListing(servers: servers, fetchedAt: SystemClock.now(), dropped: dropped, stamp: stamp, shrinkage: shrinkage)
        take(Listing(listing), of: name)
        Metrics.catalogFetches.add(1, name.rawValue, "list")
        log.info("catalog of \(name): \(servers.count) servers", ["dropped": reasons])
    }

    /// Refuses a list that looks cut short, until the provider has said the same several times.
    /// - Returns: what the list lacks all the same, for as long as that is told.
    private func checkShrinkage(of servers: [Server], unreadable: Int, by provider: ProviderName) throws -> Shrinkage? {
        let old = self[provider].listing
        let now = SystemClock.now()
        let known = old?.shrinkage.flatMap { $0.isOver(servers, now) ? nil : $0 }
        guard let words = ListComparison.suspicion(old: old?.servers ?? [], new: servers, unreadable: unreadable) else {
            self[provider].suspicion = nil
            return known
        }
        try holdBack(provider, because: words)
        guard let old else { return nil }
        let lost = ListComparison.lostCountries(old: old.servers, new: servers)
        return Shrinkage(
            servers: max(old.servers.count, known?.servers ?? 0), countries: Set(lost + (known?.countries ?? [])).sorted(), at: now)
    }

    /// Counts how often a list has looked cut short.
    /// - Throws: until it has come often enough to be believed.
    private func holdBack(_ provider: ProviderName, because words: String) throws {
        let count = (self[provider].suspicion?.count ?? 0) + 1
        guard count >= Self.acceptedAfter else {
            self[provider].suspicion = (count, words)
            throw CatalogError(message: "the new list of \(provider) is held back: \(words)", isUnreadable: true)
        }
        self[provider].suspicion = nil
        log.warning("catalog of \(provider): a shorter list is accepted: it came \(count) times", ["why": words])
    }

    private func failed(_ name: ProviderName, _ error: any Error, after seconds: Double) {
        // What is read every few seconds would say the same again and again.
        let isKnown = isLocal(name) && self[name].error.map { "\($0)" } == "\(error)"
        if !isKnown { log.warning("catalog of \(name) can't be fetched", ["error": "\(error)"]) }
        self[name].failed(error)
        let isHeldBack = self[name].suspicion != nil
        Metrics.catalogFetches.add(1, name.rawValue, isHeldBack ? "held_back" : "failed")
        let now = SystemClock.now()
        self[name].retryAt = now + pauseAfterFailure(of: self[name], name, now)
        // A list that is held back is a whole answer.
        if !isHeldBack, !isLocal(name) {
            let failure = error as? any SourceFailure
            let asked = max(failure?.retryAfter ?? 0, failure?.isRefusal ?? false ? settings.refusalSeconds : 0)
            breakers.fail(.list, name, "fetch_failed", after: seconds, atLeast: asked)
        }
        changed()
    }

    /// Seconds until a provider is asked again.
    private func pauseAfterFailure(of provider: KnownProvider, _ name: ProviderName, _ now: Timestamp) -> Double {
        if isLocal(name) { return settings.localSeconds }
        // A list that is held back is asked for again when it would have been anyway; soon where there is no other.
        if provider.suspicion != nil, provider.listing != nil { return settings.period(of: name) }
        let longest = provider.listing == nil ? min(settings.longestWithoutList, settings.backOff.longest) : settings.backOff.longest
        let pauses = BackOff(first: min(settings.backOff.first, longest), longest: longest)
        return pauses.pause(attempts: provider.failures, salt: UInt64(truncatingIfNeeded: now.milliseconds))
    }
}
