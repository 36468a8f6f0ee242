package import Model
package import Planning
import Platform
import Synchronization

/// What is remembered of failed calls to the providers' APIs. Usable from any thread.
package final class ProviderBreakers: Sendable {
    /// A provider's list and an account's key come from different services: one may work while the other does not.
    package enum Service: Sendable {
        case list, account

        func key(_ provider: ProviderName) -> BreakerKey {
            switch self {
            case .list: .list(provider)
            case .account: .account(provider)
            }
        }
    }

    private let rules: Breaker.Rules
    private let state = Mutex<[BreakerKey: Breaker]>([:])

    package init(rules: Breaker.Rules = Breaker.ofProviders) { self.rules = rules }

    /// Only those that have something to remember.
    package var all: [BreakerKey: Breaker] { state.withLock { $0 } }

    package subscript(service: Service, provider: ProviderName) -> Breaker {
        state.withLock { $0[service.key(provider)] ?? Breaker() }
    }

    package func allows(_ service: Service, _ provider: ProviderName) -> Bool {
        self[service, provider].allows(SystemClock.now(), rules)
    }

    /// True where a call may be made now; it counts as begun then.
    package func begin(_ service: Service, _ provider: ProviderName) -> Bool {
        change(service, provider) { breaker, now in
            guard breaker.allows(now, rules) else { return false }
            breaker.begin(now)
            return true
        }
    }

    package func succeed(_ service: Service, _ provider: ProviderName) {
        change(service, provider) { breaker, now in breaker.succeed(now, rules) }
    }

    /// - Parameters:
    ///   - seconds: how long the call took. One that took as long as the window says as much as all calls of a window.
    ///   - atLeast: seconds that the provider asks us to wait; 0 where it says nothing.
    package func fail(_ service: Service, _ provider: ProviderName, _ why: String, after seconds: Double = 0, atLeast: Double = 0) {
        let isLong = rules.window.map { seconds >= $0.seconds } ?? false
        change(service, provider) { breaker, now in
            breaker.fail(
                why, now, rules, salt: UInt64(truncatingIfNeeded: now.milliseconds),
                atLeast: max(atLeast, isLong ? rules.firstCoolDown : 0))
        }
    }

    /// Takes over what another controller of the store remembers.
    func set(_ breaker: Breaker, _ service: Service, _ provider: ProviderName) { change(service, provider) { mine, _ in mine = breaker } }

    @discardableResult
    private func change<Value: Sendable>(
        _ service: Service, _ provider: ProviderName, _ body: (inout Breaker, Timestamp) -> Value
    ) -> Value {
        let now = SystemClock.now()
        return state.withLock { breakers in
            let key = service.key(provider)
            var breaker = breakers[key] ?? Breaker()
            let value = body(&breaker, now)
            breakers[key] = breaker
            return value
        }
    }
}
