import Control
import HTTPTransport
import Model
import Platform
import Synchronization

/// Real requests through an exit's proxy and its tunnel, by libcurl.
final class HTTPProber: ExitProber {
    private let client: HTTPClient
    private let urls: [String]
    private let checkName: String
    private let log: Log
    private let hasBeenOnline = Mutex(false)
    private let hasFoundNames = Mutex(false)
    private let direct = Mutex<(address: String?, at: ContinuousClock.Instant)?>(nil)
    private let asking = Mutex<Task<String?, Never>?>(nil)

    /// - Parameters:
    ///   - urls: the address services.
    ///   - checkName: a host that takes connections on port 443, for names.
    init(client: HTTPClient, urls: [String], checkName: String, log: Log) {
        self.client = client
        self.urls = urls
        self.checkName = checkName
        self.log = log
    }

    func verify(_ endpoint: Endpoint, country: CountryCode) async throws -> Sighting {
        try await waitForPort(endpoint)
        let own = await directAddress()
        var last = ExitFailure(reason: .unknown, detail: "no address service is configured")
        var elsewhere: Sighting?
        for url in urls {
            do {
                let sighting = try await ask(url, through: endpoint)
                guard sighting.address != own else {
                    throw ExitFailure(reason: .leak, detail: "its traffic leaves from this machine's own address \(sighting.address)")
                }
                // So that a name that is not found later says something.
                if !hasFoundNames.withLock({ $0 }) { Task { await namesAreFound(endpoint) } }
                guard elsewhere == nil, let seen = sighting.country, seen != country else { return sighting }
                // Lists of where addresses are differ: another service is asked before this one is believed.
                elsewhere = sighting
            } catch let failure as ExitFailure {
                last = failure
                // Not listening yet, or leaking: the next service would find the same.
                if failure.isNotYet || failure.reason == .leak { break }
            }
        }
        if let elsewhere { return elsewhere }
        throw last
    }

    /// Throws `isNotYet` until the proxy listens. A short deadline: what the exit's firewall drops while it comes up would be
    /// sent again by TCP only after a second.
    private func waitForPort(_ endpoint: Endpoint) async throws {
        var request = HTTPRequest("GET", "http://\(endpoint)")
        request.connectOnly = true
        request.connectDeadline = 0.1
        request.deadline = 0.1
        do { _ = try await client.send(request) } catch is TransportError {
            throw ExitFailure(reason: .proxyDown, detail: "its proxy does not listen", isNotYet: true)
        }
    }

    func probe(_ endpoint: Endpoint, resolver: String) async throws -> Double {
        var request = HTTPRequest("GET", "http://\(resolver):53")
        request.proxy = "http://\(endpoint)"
        request.tunnels = true
        request.connectOnly = true
        request.connectDeadline = 3
        request.deadline = 3
        do {
            return try await client.send(request).seconds * 1000
        } catch let error as TransportError {
            throw Self.failure(of: error)
        }
    }

    /// Asks up to two address services, with a request that doesn't fit into one small packet, and for a name where none of
    /// their answers has proved that names are found.
    func examine(_ endpoint: Endpoint, country: CountryCode) async -> ExitReason? {
        var answered = 0
        var elsewhere = 0
        var isNamed = false
        for url in urls.prefix(2) {
            var request = throughTunnel(url, endpoint, seconds: 6)
            request.headers = [("X-Padding", String(repeating: "x", count: 1_400))]
            request.connectDeadline = 4
            request.bodyLimit = 64 << 10
            guard let response = try? await client.send(request) else { continue }
            // Any answer at all means that tunnel and large packets are well.
            answered += 1
            isNamed = isNamed || Self.hasName(url)
            guard let answer = EchoAnswer(response.body) else { break }
            if await directAddress() == answer.address { return .leak }
            guard let seen = answer.country, seen != country else {
                elsewhere = 0
                break
            }
            elsewhere += 1
        }
        if answered == 0 { return await diagnosis(endpoint) }
        if elsewhere == answered { return .wrongCountry }
        return isNamed ? nil : await namesAreFound(endpoint)
    }

    /// `dnsFailed` where the proxy doesn't get to a host by its name. That says nothing until it was seen to work once: the
    /// host may not take connections at all.
    @discardableResult
    private func namesAreFound(_ endpoint: Endpoint) async -> ExitReason? {
        var request = throughTunnel("http://\(checkName):443", endpoint, seconds: 6)
        request.connectOnly = true
        if (try? await client.send(request)) != nil {
            hasFoundNames.withLock { $0 = true }
            return nil
        }
        return hasFoundNames.withLock { $0 } ? .dnsFailed : nil
    }

    /// Why no service answers, while the resolver's port does: the data doesn't pass, the name can't be found, or nobody gets
    /// an answer from them.
    private func diagnosis(_ endpoint: Endpoint) async -> ExitReason? {
        // Services that answer nobody say nothing about an exit.
        guard await hostIsOnline() else { return nil }
        for url in urls.prefix(2) {
            var request = throughTunnel(url, endpoint, seconds: 4)
            request.connectOnly = true
            if (try? await client.send(request)) != nil { return .mtu }
        }
        return urls.prefix(2).contains(where: Self.hasName) ? .dnsFailed : await namesAreFound(endpoint)
    }

    private func throughTunnel(_ url: String, _ endpoint: Endpoint, seconds: Double) -> HTTPRequest {
        var request = HTTPRequest("GET", url)
        request.proxy = "http://\(endpoint)"
        request.tunnels = true
        request.connectDeadline = seconds
        request.deadline = seconds
        return request
    }

    /// True where a URL's host is a name, and no address.
    private static func hasName(_ url: String) -> Bool {
        guard let begin = url.firstRange(of: "://")?.upperBound else { return false }
        let host = url[begin...].prefix { $0 != "/" && $0 != ":" }
        return !host.hasPrefix("[") && !host.allSatisfy { $0.isNumber || $0 == "." }
    }

    func hostIsOnline() async -> Bool {
        // Where direct requests have never been answered, their silence says nothing.
        guard hasBeenOnline.withLock({ $0 }) else { return true }
        for url in urls {
            var request = HTTPRequest("GET", url)
            request.connectDeadline = 2
            request.deadline = 3
            request.bodyLimit = 16 << 10
            // Any answer at all is a sign of life.
            if (try? await client.send(request)) != nil { return true }
        }
        return false
    }

    /// The address from which this machine's own traffic leaves; nil when no service says. Remembered for five minutes.
    func directAddress() async -> String? {
        if let known = direct.withLock({ $0 }), .now - known.at < .seconds(known.address == nil ? 30 : 300) { return known.address }
        // Many probes may want to know at once: one asks for all.
        let question = asking.withLock { asking in
            let question = asking ?? Task { await self.askDirectly() }
            asking = question
            return question
        }
        let address = await question.value
        asking.withLock { $0 = nil }
        return address
    }

    private func askDirectly() async -> String? {
        let now = ContinuousClock.now
        for url in urls {
            var request = HTTPRequest("GET", url)
            request.connectDeadline = 2
            request.deadline = 3
            request.bodyLimit = 16 << 10
            guard let response = try? await client.send(request), let answer = EchoAnswer(response.body) else { continue }
            direct.withLock { $0 = (answer.address, now) }
            hasBeenOnline.withLock { $0 = true }
            return answer.address
        }
        log.warning(
            "this machine's own address is not known, so that exits can't be compared with it", ["asked": urls.joined(separator: " ")])
        direct.withLock { $0 = (nil, now) }
        return nil
    }

    /// Asks an address service through any HTTP proxy.
    func ask(_ url: String, through endpoint: Endpoint, user: String? = nil, password: Secret? = nil) async throws -> Sighting {
        var request = HTTPRequest("GET", url)
        request.proxy = "http://\(endpoint)"
        request.proxyUser = user
        request.proxyPassword = password
        request.connectDeadline = 1
        request.deadline = 5
        request.bodyLimit = 16 << 10
        do {
            let response = try await client.send(request)
            guard response.status == 200, let answer = EchoAnswer(response.body) else {
                let reason = response.headers["x-sallyport-reason"].map { " (\($0))" } ?? ""
                throw ExitFailure(
                    reason: .unknown, detail: "\(url) answered with status \(response.status)\(reason) and no address", isServersFault: true
                )
            }
            return Sighting(address: answer.address, country: answer.country, latencyMilliseconds: response.seconds * 1000)
        } catch let error as TransportError {
            throw Self.failure(of: error)
        }
    }

    private static func failure(of error: TransportError) -> ExitFailure {
        switch error.code {
        case .connectFailed where !Ports.canOpenSocket, .other where !Ports.canOpenSocket:
            ExitFailure(reason: .unknown, detail: "this process can open no socket: \(error.message)", isOurs: true)
        case .connectFailed: ExitFailure(reason: .proxyDown, detail: "its proxy does not listen", isNotYet: true)
        case .timedOut: ExitFailure(reason: .blackhole, detail: "no answer through the tunnel", isServersFault: true)
        case .proxyRefused: ExitFailure(reason: .blackhole, detail: error.message, isServersFault: true)
        default: ExitFailure(reason: .unknown, detail: error.message, isServersFault: true)
        }
    }
}
