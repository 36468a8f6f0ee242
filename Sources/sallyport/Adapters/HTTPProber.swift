import Control
import HTTPTransport
import Model
import Planning
import Platform
import Synchronization

/// Real requests through an exit's proxy and its tunnel, by libcurl. What the address services say of it: `HTTPProber+Comparing.swift`.
final class HTTPProber: ExitProber {
    let client: HTTPClient
    let services: AddressServices
    let own: OwnAddress
    private let checkName: String
    private let credentials: ExitCredentials
    /// What the host of `checkName` has been seen to do, through any exit: that it doesn't says nothing before.
    private let known = Mutex((hasBeenFound: false, speaksTLS: false))

    /// - Parameters:
    ///   - checkName: a host that takes connections on port 443, for names.
    ///   - credentials: what exits are shown.
    init(client: HTTPClient, services: AddressServices, checkName: String, credentials: ExitCredentials, log: Log) {
        self.client = client
        self.credentials = credentials
        self.services = services
        own = OwnAddress(client: client, services: services, log: log)
        self.checkName = checkName
    }

    func verify(_ exit: ExitProxy) async throws -> Sighting {
        try await waitForPort(exit.endpoint)
        let (proxy, country) = (credentials.proxy(of: exit), exit.exit.country)
        // An exit that nobody has seen may not serve: as a last resort those are asked who want to be left alone.
        let survey = await survey(exit, for: .vital, asking: services.ready, orElse: services.resting) { url in
            var request = HTTPRequest("GET", url)
            request.go(through: proxy)
            (request.connectDeadline, request.deadline) = (1, 5)
            return request
        }
        if let leak = survey.leak { throw ExitFailure(reason: .leak, detail: leak) }
        guard let seen = survey.seen.first else {
            if !survey.isAlive, let failure = survey.failure { throw failure }
            throw ExitFailure(reason: .unknown, detail: survey.problem, isServersFault: true)
        }
        // So that a name that is not found later says something.
        if !known.withLock({ $0.hasBeenFound }) { Task { await check(proxy) } }
        return Sighting(
            address: seen.address, country: survey.country(wanted: country), latencyMilliseconds: seen.milliseconds,
            isCompared: survey.isCompared)
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

    func probe(_ exit: ExitProxy, resolver: String) async throws -> Double {
        var request = throughTunnel("http://\(resolver):53", credentials.proxy(of: exit), seconds: 3)
        request.connectOnly = true
        do {
            return try await client.send(request).seconds * 1000
        } catch let error as TransportError {
            throw Self.failure(of: error)
        }
    }

    /// Asks the address services, with a request that doesn't fit into one small packet, until one has said the address and one the
    /// country; and for a name where none of their answers has proved that names are found. Where none may be asked now, another host is
    /// tried, and what seems wrong there is asked of a service all the same.
    func examine(_ exit: ExitProxy, isUrgent: Bool) async -> Examination {
        let proxy = credentials.proxy(of: exit)
        func survey(_ need: ServiceBudget.Need) async -> Survey {
            await self.survey(exit, for: need, asking: services.ready) { url in
                var request = throughTunnel(url, proxy, seconds: 6)
                request.headers = [("X-Padding", String(repeating: "x", count: 1_400))]
                request.connectDeadline = 4
                return request
            }
        }
        let first = await survey(isUrgent ? .urgent : .routine)
        guard first.asked == 0 else { return await examination(first, proxy, exit.exit.country) }
        guard let reason = await check(proxy) else { return Examination(first) }
        let second = await survey(.urgent)
        guard second.asked == 0 else { return await examination(second, proxy, exit.exit.country) }
        var examination = Examination(first)
        examination.reason = await reaches(proxy) ? nil : reason
        return examination
    }

    /// - Parameter survey: of a service that was asked.
    private func examination(_ survey: Survey, _ proxy: HTTPProxy, _ country: CountryCode) async -> Examination {
        var examination = Examination(survey)
        if let leak = survey.leak {
            (examination.reason, examination.detail) = (.leak, leak)
        } else if !survey.isAlive {
            examination.reason = await diagnosis(proxy)
        } else if survey.isElsewhere(than: country) {
            examination.reason = .wrongCountry
        } else if !survey.hasNamed {
            examination.reason = await check(proxy)
        }
        return examination
    }

    /// What a handshake of TLS with another host shows, without a request to anybody: `dnsFailed` where the proxy doesn't get to it by its
    /// name, `mtu` where it does and its certificate, which takes large packets, doesn't come. Neither says anything until it was seen to
    /// work once: the host may not take connections at all, or speak something else.
    @discardableResult
    private func check(_ proxy: HTTPProxy) async -> ExitReason? {
        do {
            var request = throughTunnel("https://\(checkName)", proxy, seconds: 4)
            request.connectOnly = true
            _ = try await client.send(request)
            return noteHandshake()
        } catch let error as TransportError where error.code == .tlsFailed {
            // A certificate that nobody vouches for has come all the same.
            return noteHandshake()
        } catch {
            let isFound = await connects("http://\(checkName):443", proxy, seconds: 4)
            return known.withLock { known in
                known.hasBeenFound = known.hasBeenFound || isFound
                return isFound ? known.speaksTLS ? .mtu : nil : known.hasBeenFound ? .dnsFailed : nil
            }
        }
    }

    private func noteHandshake() -> ExitReason? {
        known.withLock { $0 = (true, true) }
        return nil
    }

    /// True where a host of the address services is reached by its name; nothing is asked of it.
    private func reaches(_ proxy: HTTPProxy) async -> Bool {
        for url in services.urls.prefix(2) where Self.hasName(url) {
            if await connects(url, proxy, seconds: 4) { return true }
        }
        return false
    }

    /// Why no service answers, while the resolver's port does: the data doesn't pass, the name can't be found, or nobody gets
    /// an answer from them.
    private func diagnosis(_ proxy: HTTPProxy) async -> ExitReason? {
        // Services that answer nobody say nothing about an exit.
        guard await hostIsOnline() else { return nil }
        let urls = services.urls.prefix(2)
        for url in urls { if await connects(url, proxy, seconds: 4) { return .mtu } }
        return urls.contains(where: Self.hasName) ? .dnsFailed : await check(proxy)
    }

    private func connects(_ url: String, _ proxy: HTTPProxy, seconds: Double) async -> Bool {
        var request = throughTunnel(url, proxy, seconds: seconds)
        request.connectOnly = true
        return (try? await client.send(request)) != nil
    }

    private func throughTunnel(_ url: String, _ proxy: HTTPProxy, seconds: Double) -> HTTPRequest {
        var request = HTTPRequest("GET", url)
        request.go(through: proxy)
        request.tunnels = true
        request.connectDeadline = seconds
        request.deadline = seconds
        return request
    }

    /// True where a URL's host is a name, and no address.
    static func hasName(_ url: String) -> Bool {
        guard let begin = url.firstRange(of: "://")?.upperBound else { return false }
        let host = url[begin...].prefix { $0 != "/" && $0 != ":" }
        return !host.hasPrefix("[") && !host.allSatisfy { $0.isNumber || $0 == "." }
    }

    /// Asks the exit's proxy itself: a request in origin form, which no user of the gateway can send.
    func status(of exit: ExitProxy) async throws -> ExitReport? {
        guard let password = credentials.password(for: exit) else { return nil }
        var request = HTTPRequest("GET", "http://\(exit.endpoint)/status")
        request.headers = [("Proxy-Authorization", "Basic \(ExitCredentials.basic(password))")]
        // Short: a verdict on an exit that has stopped waits for this, and then for a program.
        (request.connectDeadline, request.deadline, request.bodyLimit) = (0.3, 0.3, 1 << 16)
        let response = try await client.send(request)
        guard response.status == 200 else { return nil }
        guard let status = ExitReport(response.text, at: SystemClock.now()) else {
            throw ExitFailure(reason: .unknown, detail: "its status can't be read")
        }
        return status
    }

    func proxy(of exit: ExitProxy) -> HTTPProxy { credentials.proxy(of: exit) }

    func hostIsOnline() async -> Bool { await own.isOnline() }

    /// The address from which this machine's own traffic leaves; nil when no service has ever said.
    func directAddress() async -> String? { await own.known().latest }

    /// Asks an address service through any HTTP proxy.
    func ask(_ url: String, through proxy: HTTPProxy) async throws -> Sighting {
        var request = HTTPRequest("GET", url)
        request.go(through: proxy)
        request.connectDeadline = 1
        request.deadline = 5
        request.bodyLimit = EchoAnswer.limit
        do {
            let response = try await client.send(request)
            guard response.status == 200, let answer = EchoAnswer(response.body) else {
                let reason = response.headers["x-sallyport-reason"].map { " (\($0))" } ?? ""
                throw ExitFailure(
                    reason: .unknown,
                    detail: "\(AddressServices.name(url)) answered with status \(response.status)\(reason) and no address",
                    isServersFault: true)
            }
            return Sighting(address: answer.address, country: answer.country, latencyMilliseconds: response.seconds * 1000)
        } catch let error as TransportError {
            throw Self.failure(of: error)
        }
    }

    static let wrongProxy = ExitFailure(
        reason: .wrongProxy, detail: "another container's proxy answers at its address: it refuses the exit's credential")

    /// True for an exit's own refusal: 407. tinyproxy, the proxy of exits of the version before, says 401 to a wrong credential.
    static func isRefusal(_ response: HTTPResponse) -> Bool {
        response.status == 407 || response.status == 401 && (response.headers["server"] ?? "").hasPrefix("tinyproxy/")
    }

    static func failure(of error: TransportError) -> ExitFailure {
        switch error.code {
        case .connectFailed where !Ports.canOpenSocket, .other where !Ports.canOpenSocket:
            ExitFailure(reason: .unknown, detail: "this process can open no socket: \(error.message)", isOurs: true)
        case .connectFailed: ExitFailure(reason: .proxyDown, detail: "its proxy does not listen", isNotYet: true)
        case .timedOut: ExitFailure(reason: .blackhole, detail: "no answer through the tunnel", isServersFault: true)
        case .proxyRefused where [401, 407].contains(error.proxyStatus): wrongProxy
        case .proxyRefused: ExitFailure(reason: .blackhole, detail: error.message, isServersFault: true)
        default: ExitFailure(reason: .unknown, detail: error.message, isServersFault: true)
        }
    }
}

extension ExitCredentials {
    /// An exit's proxy as we ask it: by the credential that belongs to this one container.
    func proxy(of exit: ExitProxy) -> HTTPProxy {
        let password = password(for: exit)
        return HTTPProxy(endpoint: exit.endpoint, user: password == nil ? nil : Self.user, password: password)
    }
}
