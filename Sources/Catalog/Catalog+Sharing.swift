import Model
import Planning
import Platform

/// What controllers share through a store: the last good lists, the right to fetch, and who has refused.
extension Catalog {
    /// Seconds for which the right to fetch is ours: longer than any fetch takes.
    private static let rightSeconds = 150

    func mayRecall(_ provider: ProviderName) -> Bool {
        store(of: provider) != nil && self[provider].listing == nil && !self[provider].isRecalled
    }

    /// Takes the stored list of a provider, once, where there is none yet.
    func recall(_ provider: ProviderName) async {
        guard let store = store(of: provider), mayRecall(provider) else { return }
        do {
            let stored = try await store.listing(of: provider)
            self[provider].isRecalled = true
            // Another caller may have been faster, with a newer one.
            guard let stored, self[provider].listing == nil else { return }
            take(Listing(stored), of: provider)
            let minutes = Int((SystemClock.now() - stored.fetchedAt) / 60)
            log.info("catalog of \(provider): \(stored.servers.count) servers from the store", ["age_min": String(minutes)])
        } catch {
            log.debug("the stored catalog of \(provider) can't be read", ["error": "\(error)"])
        }
    }

    /// True where the store says that a provider has refused another of us, or this one before its start.
    func isRefusedElsewhere(_ name: ProviderName) async -> Bool {
        let now = SystemClock.now()
        guard var breaker = try? await store(of: name)?.breaker(of: name) else { return false }
        breaker.clampTimes(to: now)
        guard breaker.state(now) == .open, let until = breaker.openUntil else { return false }
        breakers.set(breaker, .list, name)
        self[name].refused(
            CatalogError(
                message: "\(name) has refused its list (\(breaker.reason ?? "unknown")), and will be called again at \(until)"))
        changed()
        return true
    }

    func share(_ breaker: Breaker?, _ name: ProviderName) async {
        do { try await store(of: name)?.save(breaker, of: name) } catch {
            log.debug("the pause of \(name) can't be stored", ["error": "\(error)"])
        }
    }

    func keep(_ provider: ProviderName) async {
        guard let store = store(of: provider), let listing = self[provider].listing else { return }
        do { try await store.save(listing.stored, of: provider) } catch {
            log.warning("catalog of \(provider) can't be stored", ["error": "\(error)"])
        }
    }

    // MARK: - One fetch for all controllers of a store

    enum FetchRight {
        /// Nobody to share with, or a store that does not answer: a list is worth more than a saved call.
        case alone
        case held(String)
        /// Another controller has fetched, and its list is ours now.
        case served
    }

    func rightToFetch(_ provider: ProviderName) async -> FetchRight {
        guard let store = store(of: provider) else { return .alone }
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
            log.debug("the store does not say which controller fetches", ["error": "\(error)"])
        }
        return .alone
    }

    private func takeNewer(_ provider: ProviderName, from store: any ListingStore) async throws -> Bool {
        guard let time = try await store.fetchTime(of: provider), time > self[provider].listing?.fetchedAt ?? Timestamp(milliseconds: 0),
            SystemClock.now() - time < settings.period(of: provider), let stored = try await store.listing(of: provider)
        else { return false }
        self[provider].succeeded()
        take(Listing(stored), of: provider)
        log.info("catalog of \(provider): \(stored.servers.count) servers, fetched by another controller")
        return true
    }

    func release(_ right: FetchRight, _ provider: ProviderName) async {
        guard case .held(let right) = right else { return }
        do { try await store?.endFetch(of: provider, right: right) } catch {
            log.debug("the lock for the fetch could not be released; it expires by itself", ["error": "\(error)"])
        }
    }
}
