import Model
import Planning
import Platform

/// How lists get into the catalog, and stay there.
extension Catalog {
    /// Times in a row that a list must look cut short before it is believed.
    private static let believedAfter = 3
    /// Seconds for which the right to fetch is ours: longer than any fetch takes.
    private static let rightSeconds = 150

    private var rules: Breaker.Rules {
        .init(threshold: 1, firstCoolDown: settings.backOff.first, longestCoolDown: settings.backOff.longest)
    }

    /// Fetches what is missing or old. Fails only when no provider has ever given a list.
    package func refresh() async throws {
        var problem: (any Error)?
        for source in sources {
            let name = source.provider
            await recall(name)
            let period = settings.refreshSeconds * (jitter[name] ?? 1)
            let isOld = listings[name].map { SystemClock.now() - $0.fetchedAt > period } ?? true
            guard isOld else { continue }
            if fetches[name] == nil, !(breakers[name]?.allows(SystemClock.now(), rules) ?? true) {
                problem = errors[name]
                continue
            }
            let task = fetches[name] ?? Task { try await self.fetch(source) }
            fetches[name] = task
            // An old list is better than waiting for a new one.
            guard listings[name] == nil else { continue }
            do { try await task.value } catch { problem = error }
        }
        if listings.isEmpty { throw problem ?? CatalogError(message: "no provider is configured") }
    }

    /// Takes the stored list of a provider, once, where there is none yet.
    private func recall(_ provider: ProviderName) async {
        guard let store, listings[provider] == nil, !recalled.contains(provider) else { return }
        do {
            let stored = try await store.listing(of: provider)
            recalled.insert(provider)
            // Another caller may have been faster, with a newer one.
            guard let stored, listings[provider] == nil else { return }
            take(Listing(stored), of: provider)
            let minutes = Int((SystemClock.now() - stored.fetchedAt) / 60)
            log.info("catalog of \(provider): \(stored.servers.count) servers from the store", ["age_min": String(minutes)])
        } catch {
            log.debug("the stored catalog of \(provider) can't be read", ["error": "\(error)"])
        }
    }

    private func take(_ listing: Listing, of provider: ProviderName) {
        listings[provider] = listing
        Metrics.catalogServers.set(Double(listing.servers.count), provider.rawValue)
        Metrics.catalogFetched.set(Double(listing.fetchedAt.milliseconds) / 1000, provider.rawValue)
        jitter[provider] = Double.random(in: 0.9...1.1)
        forgetAbsent(SystemClock.now())
        changed()
    }

    /// Forgets the measurements of servers that have left every list: old ones, and all but the latest. Those of a city go with its
    /// last server.
    private func forgetAbsent(_ now: Timestamp) {
        let listed = listings.values.reduce(into: Set<String>()) { names, listing in names.formUnion(listing.servers.lazy.map(\.hostname)) }
        let absent = histories.filter { !listed.contains($0.key) }.mapValues { $0.figures?.measuredAt ?? now }
        let kept = absent.filter { abs(now - $0.value) <= settings.absentSeconds }.sorted { $0.value > $1.value }.prefix(
            settings.absentServers)
        for name in Set(absent.keys).subtracting(kept.map(\.key)) { histories[name] = nil }
        let cities = listings.values.reduce(into: Set<String>()) { $0.formUnion($1.servers.lazy.map(ServerRanking.city)) }
        cityTimes = cityTimes.filter { cities.contains($0.key) }
    }

    private func fetch(_ source: any ServerSource) async throws {
        let name = source.provider
        defer { fetches[name] = nil }
        let right = await rightToFetch(name)
        if case .served = right { return }
        // Whoever of us it was that it has refused, before or after a restart: it is left alone by all.
        if let refusal = await sharedRefusal(name) {
            await giveBack(right, name)
            throw refusal
        }
        breakers[name, default: Breaker()].begin(SystemClock.now())
        do {
            try await ask(source)
            breakers[name]?.succeed(SystemClock.now(), rules)
            errors[name] = nil
            await share(nil, name)
        } catch {
            failed(name, error)
            let failure = error as? any SourceFailure
            if failure?.isRefusal ?? false || failure?.retryAfter != nil { await share(breakers[name], name) }
            await giveBack(right, name)
            throw error
        }
        await giveBack(right, name)
    }

    private func ask(_ source: any ServerSource) async throws {
        let name = source.provider
        // What was held back must be told again, not be called unchanged.
        let stamp = suspicions[name] == nil ? listings[name]?.stamp : nil
        switch try await source.list(newerThan: stamp) {
        case .unchanged:
            guard var listing = listings[name] else { throw CatalogError(message: "\(name) says that nothing has changed since nothing") }
            listing.fetchedAt = SystemClock.now()
            take(listing, of: name)
            Metrics.catalogFetches.add(1, name.rawValue, "unchanged")
            log.debug("catalog of \(name): unchanged")
        case .list(let servers, let dropped, let stamp):
            let reasons = dropped.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
            // No provider has given up all of its servers: such an answer must not cost us the list that we have.
            guard !servers.isEmpty else {
                throw CatalogError(message: "\(name) lists no server that can be used (dropped: \(reasons.isEmpty ? "none" : reasons))")
            }
            try believe(servers, unreadable: dropped["unreadable"] ?? 0, of: name)
            take(Listing(StoredListing(servers: servers, fetchedAt: SystemClock.now(), dropped: dropped, stamp: stamp)), of: name)
            Metrics.catalogFetches.add(1, name.rawValue, "list")
            log.info("catalog of \(name): \(servers.count) servers", ["dropped": reasons.isEmpty ? "none" : reasons])
        }
        await keep(name)
    }

    /// Refuses a list that looks cut short, until the provider has said the same several times.
    private func believe(_ servers: [Server], unreadable: Int, of provider: ProviderName) throws {
        guard let suspicion = ListComparison.suspicion(old: listings[provider]?.servers ?? [], new: servers, unreadable: unreadable) else {
            suspicions[provider] = nil
            return
        }
        let count = (suspicions[provider] ?? 0) + 1
        suspicions[provider] = count
        guard count < Self.believedAfter else {
            suspicions[provider] = nil
            return log.warning("catalog of \(provider): a list that looks cut short is believed, for it came \(count) times")
        }
        throw CatalogError(message: "the new list is held back, for \(suspicion)")
    }

    private func failed(_ name: ProviderName, _ error: any Error) {
        log.warning("catalog of \(name) can't be fetched", ["error": "\(error)"])
        errors[name] = error
        let failure = error as? any SourceFailure
        let isHeldBack = suspicions[name] != nil
        Metrics.catalogFetches.add(1, name.rawValue, isHeldBack ? "held_back" : "failed")
        // A list that is held back is asked for again when it would have been anyway; soon where there is no other.
        let pause =
            isHeldBack && listings[name] != nil
            ? settings.refreshSeconds : max(failure?.retryAfter ?? 0, failure?.isRefusal ?? false ? settings.refusalSeconds : 0)
        let now = SystemClock.now()
        breakers[name, default: Breaker()].fail(
            isHeldBack ? "held_back" : "fetch_failed", now, rules, salt: UInt64(truncatingIfNeeded: now.milliseconds), atLeast: pause)
        changed()
    }

    /// Why a provider is not asked now, where the store says so.
    private func sharedRefusal(_ name: ProviderName) async -> (any Error)? {
        let now = SystemClock.now()
        guard var breaker = try? await store?.breaker(of: name) else { return nil }
        breaker.settle(now)
        guard breaker.state(now) == .open, let until = breaker.openUntil else { return nil }
        breakers[name] = breaker
        errors[name] = CatalogError(
            message: "\(name) has refused its list (\(breaker.reason ?? "unknown")), and is asked again at \(until)")
        changed()
        return errors[name]
    }

    private func share(_ breaker: Breaker?, _ name: ProviderName) async {
        do { try await store?.save(breaker, of: name) } catch {
            log.debug("that \(name) is left alone can't be stored", ["error": "\(error)"])
        }
    }

    private func keep(_ provider: ProviderName) async {
        guard let store, let listing = listings[provider] else { return }
        do { try await store.save(listing.stored, of: provider) } catch {
            log.warning("catalog of \(provider) can't be stored", ["error": "\(error)"])
        }
    }

    // MARK: - One fetch for all controllers of a store

    private enum FetchRight {
        /// Nobody to share with, or a store that does not answer: a list is worth more than a saved call.
        case alone
        case held(String)
        /// Another controller has fetched, and its list is ours now.
        case served
    }

    private func rightToFetch(_ provider: ProviderName) async -> FetchRight {
        guard let store else { return .alone }
        let end = ContinuousClock.now + .seconds(Self.rightSeconds)
        do {
            while ContinuousClock.now < end, !Task.isCancelled {
                if try await takeNewer(provider, from: store) { return .served }
                if let right = try await store.beginFetch(of: provider, seconds: Self.rightSeconds) {
                    // It may have been saved between the look and the right.
                    if try await takeNewer(provider, from: store) {
                        try await store.endFetch(of: provider, right: right)
                        return .served
                    }
                    return .held(right)
                }
                try await Task.sleep(for: .milliseconds(250))
            }
        } catch {
            log.debug("the store does not say who fetches", ["error": "\(error)"])
        }
        return .alone
    }

    private func takeNewer(_ provider: ProviderName, from store: any ListingStore) async throws -> Bool {
        guard let time = try await store.fetchTime(of: provider), time > listings[provider]?.fetchedAt ?? Timestamp(milliseconds: 0),
            SystemClock.now() - time < settings.refreshSeconds, let stored = try await store.listing(of: provider)
        else { return false }
        take(Listing(stored), of: provider)
        log.info("catalog of \(provider): \(stored.servers.count) servers, fetched by another controller")
        return true
    }

    private func giveBack(_ right: FetchRight, _ provider: ProviderName) async {
        guard case .held(let right) = right else { return }
        do { try await store?.endFetch(of: provider, right: right) } catch {
            log.debug("the right to fetch could not be given back; it ends by itself", ["error": "\(error)"])
        }
    }
}
