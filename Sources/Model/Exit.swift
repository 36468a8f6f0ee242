/// Where an exit stands between being asked for and being gone.
package enum ExitState: String, Codable, Sendable, CaseIterable {
    /// Wanted, but waiting: for a server, for the engine, or for its next try.
    case pending
    /// Its container is being created and started.
    case starting
    /// Its container runs; the tunnel is being proved.
    case verifying
    /// Proved and plugged into the gateway.
    case serving
    /// Plugged in, but its probes fail now and then.
    case degraded
    /// Proved, and waits unplugged until one that serves is lost.
    case standby
    /// Takes no new connection; waits for its last ones, or for the deadline.
    case draining
    /// Its container is being removed.
    case stopped
    /// Has failed many times in a row; `reason` says why. It goes on trying, seldom.
    case failed

    /// True where the gateway sends new connections to it.
    package var takesTraffic: Bool { self == .serving || self == .degraded }
    /// True where its tunnel is proved, so that it is probed.
    package var isProbed: Bool { takesTraffic || self == .standby }
}

/// Why an exit is in its state, as a word for machines. `Exit.detail` has the sentence for people.
package enum ExitReason: String, Codable, Sendable, CaseIterable {
    case noServer = "no_server"
    /// The provider's API gives no list of servers or no key, or its servers' names have no address.
    case providerUnavailable = "provider_unavailable"
    /// The account has as many tunnels as it may have at once.
    case deviceLimit = "device_limit"
    /// Every address of the exits' network is in use, or may still be where the gateway leads to.
    case noAddress = "no_address"
    case engineUnavailable = "engine_unavailable"
    case imageMissing = "image_missing"
    case credentialsMissing = "credentials_missing"
    case credentialsRejected = "credentials_rejected"
    case startFailed = "start_failed"
    case badConfiguration = "bad_configuration"
    case handshakeTimeout = "handshake_timeout"
    case dnsFailed = "dns_failed"
    case proxyDown = "proxy_down"
    /// What answers at its address does not know its credential: it is another container.
    case wrongProxy = "wrong_proxy"
    case verifyTimeout = "verify_timeout"
    case wrongCountry = "wrong_country"
    case leak
    case containerExited = "container_exited"
    case containerGone = "container_gone"
    case blackhole
    /// Small answers come, large ones don't.
    case mtu
    /// Many probes fail, though not all.
    case lossy
    case slow
    /// A canary is blocked there, and not elsewhere.
    case targetBlocked = "target_blocked"
    /// Its pool has begun so many containers lately that it must wait.
    case restartBudget = "restart_budget"
    case rotated
    case unwanted
    /// Its pool is on demand, and nobody uses it, or another country needs its tunnel.
    case idle
    case unknown
}

/// What the probes of an exit add up to.
package enum Verdict: String, Codable, Sendable {
    case healthy, degraded, dead, unknown
}

/// The latest verdict on an exit and the figures behind it.
package struct Health: Hashable, Codable, Sendable {
    package var verdict: Verdict
    package var reason: ExitReason?
    /// Time of the last successful probe through the exit.
    package var latencyMilliseconds: Double?
    /// Share of the latest probes (at most 60) that succeeded, 0 to 1.
    package var successRate: Double?
    /// How many probes in a row have failed.
    package var failures: Int
    package var checkedAt: Timestamp?
    /// 0 to 1: success, latency against its own usual one, and jitter in one figure.
    package var score: Double
    /// The gateway's weight that follows the score, 1 to 100.
    package var weight: Int
    /// Since when it has been degraded or dead.
    package var degradedSince: Timestamp?
    /// Seconds since the tunnel's last handshake, when that was last read.
    package var handshakeAge: Double?
    /// When an address service last said the exit's address, and it was compared with this machine's own; and when one last said its
    /// country. Nil where none ever has.
    package var comparedAt: Timestamp?
    package var placedAt: Timestamp?
    /// Seconds since the first of these.
    package var comparedAge: Double?
    /// Why the last deep probe could not compare one of these; nil where it could.
    package var comparisonProblem: String?
    /// Another address that the last deep probe saw, where two services differ.
    package var otherAddress: String?
    /// What was seen of a leak, as a sentence; nil where nothing was.
    package var leak: String?
    /// Whether the exit's own firewall counts what leaves beside the tunnel, and what it had counted, when that was last read; nil
    /// before.
    package var countsLeaks: Bool?
    package var leakedPackets: Int?
    package var leakedBytes: Int?
    /// What canaries last said; nil where there are none.
    package var canaries: [CanaryResult]?
    /// Names of the canaries that are blocked here, and not at all exits; nil for none.
    package var blockedBy: [String]?

    package init(
        verdict: Verdict = .unknown, reason: ExitReason? = nil, latencyMilliseconds: Double? = nil, successRate: Double? = nil,
        failures: Int = 0, checkedAt: Timestamp? = nil, score: Double = 1, weight: Int = 100, degradedSince: Timestamp? = nil,
        handshakeAge: Double? = nil
    ) {
        self.score = score
        self.weight = weight
        self.degradedSince = degradedSince
        self.handshakeAge = handshakeAge
        self.verdict = verdict
        self.reason = reason
        self.latencyMilliseconds = latencyMilliseconds
        self.successRate = successRate
        self.failures = failures
        self.checkedAt = checkedAt
    }

    enum CodingKeys: String, CodingKey {
        case verdict, reason, failures, score, weight
        case degradedSince = "degraded_since"
        case handshakeAge = "handshake_age_s"
        case comparedAt = "compared_at"
        case placedAt = "placed_at"
        case comparedAge = "compared_age_s"
        case comparisonProblem = "comparison_problem"
        case otherAddress = "other_exit_ip"
        case leak, canaries
        case blockedBy = "blocked_by"
        case countsLeaks = "leaks_counted"
        case leakedPackets = "leaked_packets"
        case leakedBytes = "leaked_bytes"
        case latencyMilliseconds = "latency_ms"
        case successRate = "success_rate"
        case checkedAt = "checked_at"
    }
}

/// One tunnel and its proxy, as the controller remembers it. Kept in the store, so that a restart forgets nothing.
package struct Exit: Hashable, Sendable {
    package var id: ExitID
    /// 0 before its first container, then one more with each; a container of another generation is not this exit's.
    package var generation: Int
    package var state: ExitState
    package var reason: ExitReason?
    /// A sentence for people about `reason`; never a secret.
    package var detail: String?
    package var server: Server?
    /// A name for the key of its tunnel, which tells nothing of the key; nil where it is not known.
    package var keyName: String?
    /// The engine's name of the running container.
    package var container: String?
    /// Where its proxy listens, as the gateway reaches it.
    package var endpoint: Endpoint?
    /// Whether its container asks for credentials; nil where an earlier version wrote this, whose containers ask for none.
    var credentialIsKnown: Bool? = true
    /// Whether the tunnel of its container carries IPv6.
    package var hasIPv6 = false
    /// Its slot in the gateway's backend, 1 to `Pool.slots`.
    package var slot: Int
    package var proof: Proof
    package var health: Health
    /// When it came into `state`.
    package var since: Timestamp
    /// Failed tries in a row, and when the next may begin.
    package var attempts: Int
    package var retryAt: Timestamp?
    /// Servers that failed this exit lately, oldest first, at most 20.
    package var avoid: [AvoidedServer]
    /// It is to leave as soon as its pool has enough others: rotation, or a pool made smaller.
    package var leaving: Bool
    /// What it was given up for last.
    package var lastFailure: Failure?
    /// Since when another server has been much better than its own.
    package var outclassedSince: Timestamp?

    package init(id: ExitID, slot: Int, now: Timestamp) {
        self.id = id
        self.slot = slot
        generation = 0
        state = .pending
        proof = Proof()
        health = Health()
        since = now
        attempts = 0
        avoid = []
        leaving = false
    }

    package var country: CountryCode { id.country }

    /// False for one that an earlier version started: anybody may ask its proxy, which would hand a credential on to the target.
    package var knowsCredential: Bool {
        get { credentialIsKnown ?? false }
        set { credentialIsKnown = newValue }
    }

    /// How its proxy is asked; nil while it has no address.
    package var proxy: ExitProxy? {
        endpoint.map { ExitProxy(endpoint: $0, exit: id, generation: generation, knowsCredential: knowsCredential) }
    }
}

extension Exit {
    /// What the verification of its tunnel has found, and what the tunnel has carried since; empty before it is proved.
    package struct Proof: Hashable, Codable, Sendable {
        /// The address that the internet sees, and its country as seen from there.
        package var address: String?
        package var country: CountryCode?
        package var at: Timestamp?
        package var carriedBytes = 0

        package init(address: String? = nil, country: CountryCode? = nil, at: Timestamp? = nil) {
            self.address = address
            self.country = country
            self.at = at
        }

        enum CodingKeys: String, CodingKey {
            case address = "exit_ip"
            case country = "exit_country"
            case at = "proved_at"
            case carriedBytes = "carried_bytes"
        }
    }

    /// Why an exit was given up, and on which server.
    package struct Failure: Hashable, Codable, Sendable {
        package var at: Timestamp
        package var reason: ExitReason
        package var detail: String
        package var server: Server?
        package var isServersFault: Bool
        /// True where it took traffic until then.
        package var tookTraffic: Bool

        package init(at: Timestamp, reason: ExitReason, detail: String, server: Server?, isServersFault: Bool, tookTraffic: Bool) {
            self.at = at
            self.reason = reason
            self.detail = detail
            self.server = server
            self.isServersFault = isServersFault
            self.tookTraffic = tookTraffic
        }

        enum CodingKeys: String, CodingKey {
            case at, reason, detail, server
            case isServersFault = "is_servers_fault"
            case tookTraffic = "took_traffic"
        }
    }
}

/// A server that is not to be tried for a while.
package struct AvoidedServer: Hashable, Codable, Sendable {
    package var hostname: String
    package var until: Timestamp

    package init(hostname: String, until: Timestamp) {
        self.hostname = hostname
        self.until = until
    }
}
