import HTTPTransport
import Planning
import Platform
import Synchronization

/// The address from which this machine's own traffic leaves, as the address services see it without a tunnel. Thread-safe.
final class OwnAddress: Sendable {
    /// What is known of it.
    struct Known: Sendable {
        /// The latest; nil where no service has ever said.
        var latest: String?
        /// Those of the last day: a machine whose address changes may be seen with one for a while longer.
        var all: Set<String> = []
        /// True where the latest was said less than an hour ago: an older one may be another one's by now.
        var isFresh = false
    }

    private struct State {
        var seen: [String: ContinuousClock.Instant] = [:]
        var latest: String?
        var askedAt: ContinuousClock.Instant?
        /// Questions in a row that nobody has answered.
        var failures = 0
        var question: Task<Void, Never>?
    }

    private let client: HTTPClient
    private let services: AddressServices
    private let log: Log
    private let state = Mutex(State())

    init(client: HTTPClient, services: AddressServices, log: Log) {
        self.client = client
        self.services = services
        self.log = log
    }

    /// Seconds between two questions; while nobody says, the first of them and twice as long each time.
    private static let seconds = 30.0...1_200.0

    /// What is known now. The services are asked each 20 minutes, and sooner while none of them says; what they said before is not forgotten
    /// for that.
    func known() async -> Known {
        // Many probes may want to know at once: one asks for all.
        let question = state.withLock { state -> Task<Void, Never>? in
            if let question = state.question { return question }
            let pause = state.failures == 0 ? Self.seconds.upperBound : Self.seconds.lowerBound * Double(1 << min(state.failures - 1, 10))
            if let at = state.askedAt, .now - at < .seconds(min(pause, Self.seconds.upperBound)) { return nil }
            let question = Task { await self.ask() }
            state.question = question
            return question
        }
        await question?.value
        return state.withLock { state in
            let now = ContinuousClock.now
            let isFresh = state.latest.flatMap { state.seen[$0] }.map { now - $0 < .seconds(3_600) } ?? false
            return Known(latest: state.latest, all: Set(state.seen.filter { now - $0.value < .seconds(86_400) }.keys), isFresh: isFresh)
        }
    }

    private func ask() async {
        let found = await find()
        guard note(found, at: .now) else { return }
        log.warning(
            "no address service gives this machine's own address, which exits are compared with",
            ["asked": services.urls.map(AddressServices.name).joined(separator: " ")])
    }

    /// What the first service says that says an address.
    private func find() async -> String? {
        // Before the first answer no exit can be compared at all.
        let isKnown = state.withLock { $0.latest != nil }
        let resting = isKnown ? [] : services.resting
        for url in services.ready + resting where services.begin(url, isKnown ? .urgent : .vital, isDisturbed: resting.contains(url)) {
            guard let response = try? await client.send(request(url)), (200..<300).contains(response.status),
                let address = EchoAnswer(response.body)?.publicAddress
            else { continue }
            return address
        }
        return nil
    }

    /// - Returns: true where none was found, and one was the time before.
    private func note(_ found: String?, at now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            defer {
                state.askedAt = now
                state.failures = found == nil ? state.failures + 1 : 0
                state.question = nil
            }
            guard let found else { return state.failures == 0 }
            state.latest = found
            state.seen[found] = now
            state.seen = state.seen.filter { now - $0.value < .seconds(86_400) }
            return false
        }
    }

    /// False where services have answered before and none answers now.
    func isOnline() async -> Bool {
        // Where direct requests have never been answered, their silence says nothing.
        guard state.withLock({ $0.latest != nil }) else { return true }
        for url in services.urls {
            _ = services.begin(url, .vital, isDisturbed: true)
            if (try? await client.send(request(url))) != nil { return true }
        }
        return false
    }

    /// By IPv4: an exit carries nothing else, and an IPv6 address could not be compared with its.
    private func request(_ url: String) -> HTTPRequest {
        var request = HTTPRequest("GET", url)
        request.isIPv4Only = true
        request.connectDeadline = 2
        request.deadline = 3
        request.bodyLimit = EchoAnswer.limit
        return request
    }
}
