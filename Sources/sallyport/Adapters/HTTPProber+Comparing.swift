import Control
import HTTPTransport
import Model
import Planning

/// What the address services have said of one exit, asked one after another.
struct Survey: Sendable {
    struct Seen: Sendable {
        var address: String
        var country: CountryCode?
        var milliseconds: Double
    }

    /// Answers with an address, in their order.
    var seen: [Seen] = []
    /// True where any HTTP answer came, and where one came from a service that is known by name.
    var isAlive = false
    /// Services that were asked.
    var asked = 0
    var hasNamed = false
    /// True where services were not asked because it is another exit's turn.
    var awaitsTurn = false
    /// How the exit was seen with this machine's own address; nil where it was not.
    var leak: String?
    /// True where an address was compared with this machine's own.
    var isCompared = false
    /// What became of those that said no address, or with what could not be compared, in words.
    var problems: [String] = []
    /// Why the last one that gave no answer did not.
    var failure: ExitFailure?

    var problem: String { problems.isEmpty ? "every address service has asked for a pause" : problems.joined(separator: "; ") }

    /// The country to believe: the wanted one where any service sees the exit there, for their lists differ.
    func country(wanted: CountryCode) -> CountryCode? {
        let countries = seen.compactMap(\.country)
        return countries.contains(wanted) ? wanted : countries.last
    }

    func isElsewhere(than wanted: CountryCode) -> Bool { country(wanted: wanted).map { $0 != wanted } ?? false }
}

extension Examination {
    init(_ survey: Survey) {
        self.init()
        isCompared = survey.isCompared
        isPlaced = survey.seen.contains { $0.country != nil }
        problem = survey.isCompared && isPlaced ? nil : survey.problem
        let addresses = survey.seen.map(\.address)
        otherAddress = addresses.first { $0 != addresses[0] }
        awaitsTurn = survey.awaitsTurn && (survey.asked == 0 || survey.isCompared)
    }
}

extension HTTPProber {
    /// Seconds for all services together, and those that one more is asked with at least.
    private static let surveySeconds = 12.0
    private static let leastSeconds = 1.0

    /// Asks the services in turn until one has said an address, and one a country that is the wanted one. An answer without an address is
    /// none. Two services that see the exit elsewhere are believed.
    /// - Parameters:
    ///   - need: by what services with a budget are asked: from time to time in the exit's turn, or now.
    ///   - rested: those that want to be left alone, and are asked where no other has said an address.
    func survey(
        _ exit: ExitProxy, for need: ServiceBudget.Need, asking ready: [String], orElse rested: [String] = [],
        request: (_ url: String) -> HTTPRequest
    ) async -> Survey {
        var survey = Survey()
        let country = exit.exit.country
        var hasTurn: Bool?
        let end = ContinuousClock.now + .seconds(Self.surveySeconds)
        for url in ready + rested {
            let left = (end - .now) / .seconds(1)
            if left < Self.leastSeconds { break }
            let hasAddress = !survey.seen.isEmpty
            // Who only wants the country need not ask those that say none.
            if hasAddress, !services.saysCountry(url) { continue }
            if need == .routine, !services.isFree(url) {
                let isTurn = hasTurn ?? services.takeTurn(exit.exit)
                hasTurn = isTurn
                survey.awaitsTurn = !isTurn
                if !isTurn { continue }
            }
            // What would be a finding is not left half done.
            let need = need == .routine && survey.isElsewhere(than: country) ? .urgent : need
            guard services.begin(url, need, isDisturbed: !hasAddress && rested.contains(url)) else { continue }
            var request = request(url)
            request.bodyLimit = 64 << 10
            request.deadline = min(request.deadline, left)
            request.connectDeadline = min(request.connectDeadline, left)
            await ask(request, exit.endpoint, &survey)
            if survey.leak != nil || !survey.isAlive && survey.failure?.isNotYet == true { break }
            let countries = survey.seen.compactMap(\.country)
            if countries.contains(country) || countries.count >= 2 { break }
        }
        return survey
    }

    private func ask(_ request: HTTPRequest, _ endpoint: Endpoint, _ survey: inout Survey) async {
        let name = AddressServices.name(request.url)
        survey.asked += 1
        let response: HTTPResponse
        do { response = try await client.send(request) } catch { return note(error, of: request, &survey) }
        if Self.isRefusal(response) {
            survey.failure = Self.wrongProxy
            return survey.problems.append(Self.wrongProxy.detail)
        }
        // Any answer at all means that tunnel and large packets are well.
        survey.isAlive = true
        survey.hasNamed = survey.hasNamed || Self.hasName(request.url)
        let answer = (200..<300).contains(response.status) ? EchoAnswer(response.body) : nil
        let address = answer?.publicAddress
        if response.headers["x-sallyport-reason"] == nil {
            services.note(request.url, status: response.status, retryAfter: response.headers["retry-after"], address == nil ? nil : answer)
        } else {
            // The exit's own word is none of the service's.
            services.count(request.url, .unanswered)
        }
        guard let address, address != endpoint.address else {
            let what = answer == nil ? "no address" : "an address of no internet"
            return survey.problems.append("\(name) answered with status \(response.status) and \(what)")
        }
        survey.seen.append(.init(address: address, country: answer?.country, milliseconds: response.seconds * 1000))
        if answer?.country == nil { survey.problems.append("\(name) gives no country") }
        await compare(address, seenBy: name, &survey)
    }

    private func note(_ error: any Error, of request: HTTPRequest, _ survey: inout Survey) {
        let error = error as? TransportError ?? TransportError(code: .other, message: "\(error)")
        services.count(request.url, .unanswered)
        // The head of an answer that goes wrong later is a sign of life too, unless the rest of it never came.
        if error.status > 0, error.code != .timedOut {
            survey.isAlive = true
            survey.hasNamed = survey.hasNamed || Self.hasName(request.url)
        } else {
            survey.failure = Self.failure(of: error)
        }
        survey.problems.append("\(AddressServices.name(request.url)): \(error.message)")
    }

    /// With this machine's own addresses, if they are known.
    private func compare(_ address: String, seenBy name: String, _ survey: inout Survey) async {
        let own = await own.known()
        if own.all.contains(address) {
            survey.leak = "its traffic leaves from this machine's own address \(address), as \(name) sees it"
        } else if own.isFresh {
            survey.isCompared = true
        } else {
            survey.problems.append("this machine's own address is not known")
        }
    }
}
