import Model
import Planning
import Platform

/// The servers of pools, as the catalog names them.
extension Controller {
    func findServers(_ country: CountryCode) {
        guard let pool = desired.pools[country], term.searches.begin(country, now: ports.now()) else { return }
        spawn { await $0.search(pool) }
    }

    private func search(_ pool: Pool) async {
        let term = term
        do {
            let ranked = try await ports.catalog.ranked(for: pool)
            // Meanwhile the pool may have become another one.
            if desired.pools[pool.country] == pool { term.searches.keep(ranked, for: pool.country, now: ports.now()) }
            noteFound(pool.country)
        } catch {
            term.searches.failed(pool.country, error)
            note(.catalog, error)
            // Not in every pass: wait a moment before the next question.
            try? await ports.sleep(seconds: 1)
        }
        term.searches.end(pool.country)
        wake()
    }

    /// One pool's servers were found; another's may still be missing.
    func noteFound(_ country: CountryCode) {
        term.searches.succeeded(country, pools: desired.pools)
        if term.searches.problems.isEmpty { clear(.catalog) }
    }
}
