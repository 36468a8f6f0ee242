package import Model

/// How an exit changes when something has happened to it. Pure; the planner and the loop both use these and nothing else.
extension Exit {
    package static let backOff = BackOff()
    /// Failed tries in a row after which an exit is shown as failed, though it goes on trying.
    package static let attemptsUntilFailed = 5
    /// Seconds of service after which a loss is bad luck, and not one more failed try.
    package static let secondsUntilProven = 30.0
    /// Seconds for which a server that failed is left alone, unless there is no other.
    package static let secondsAvoided = 60.0

    /// True while its container, of its generation, is to stay.
    package var keepsContainer: Bool {
        switch state {
        case .starting, .verifying, .serving, .degraded, .standby, .draining: true
        case .pending, .stopped, .failed: false
        }
    }

    package mutating func move(to state: ExitState, reason: ExitReason? = nil, now: Timestamp) {
        if self.state != state { since = now }
        self.state = state
        self.reason = reason
        detail = nil
        if !keepsContainer {
            container = nil
            endpoint = nil
        }
    }

    // The result of an operation counts only where the exit still waits for it: meanwhile it may have been told to go.

    package mutating func launched(container: String, endpoint: Endpoint, now: Timestamp) {
        guard state == .starting else { return }
        self.container = container
        self.endpoint = endpoint
        knowsCredential = true
        // The list of containers will say.
        hasIPv6 = false
        move(to: .verifying, now: now)
    }

    /// Back to waiting, without a failed try: what it lacks comes by itself.
    package mutating func postpone(_ reason: ExitReason, _ detail: String, until: Timestamp, now: Timestamp) {
        guard state == .starting else { return }
        move(to: .pending, reason: reason, now: now)
        self.detail = detail
        retryAt = until
    }

    package mutating func verified(
        address: String, country: CountryCode?, latencyMilliseconds: Double, isCompared: Bool = true, now: Timestamp
    ) {
        guard state == .verifying else { return }
        proof = Proof(address: address, country: country, at: now)
        retryAt = nil
        health = Health(verdict: .healthy, latencyMilliseconds: latencyMilliseconds, successRate: 1, checkedAt: now)
        if isCompared { health.comparedAt = now }
        if country != nil { health.placedAt = now }
        // The planner plugs it in at once where its pool wants one more.
        move(to: .standby, now: now)
    }

    package mutating func failed(_ reason: ExitReason, _ detail: String, avoidServer: Bool, now: Timestamp) {
        guard state == .starting || state == .verifying else { return }
        backOff(reason, detail, avoidServer: avoidServer, now: now)
    }

    /// Its container is gone or has ended: another one, at once. The server is to blame only where the entry point says so: what was ended
    /// from outside has failed nobody.
    package mutating func lose(_ container: ExitContainer?, now: Timestamp) {
        guard let container else { return backOff(.containerGone, "its container was removed", avoidServer: false, now: now) }
        let code = container.exitCode ?? -1
        let (reason, isServersFault) = Self.reason(exitCode: code)
        // 128 and the number of the signal.
        let how =
            switch code {
            case 137: "was killed from outside, or ran out of memory (status 137)"
            case 0, 129...192: "was ended from outside (status \(code))"
            default: "ended with status \(code)"
            }
        backOff(reason, "its container \(how)", avoidServer: isServersFault, now: now)
    }

    /// What the entry point's exit status means, and whether another server may do better. See containers/exit/README.md.
    package static func reason(exitCode: Int) -> (ExitReason, isServersFault: Bool) {
        switch exitCode {
        case 64: (.badConfiguration, false)
        case 65: (.handshakeTimeout, true)
        case 66: (.dnsFailed, true)
        case 67: (.proxyDown, false)
        // The host refuses what the exit needs: its firewall, a tunnel device, a port.
        case 68...70: (.startFailed, false)
        default: (.containerExited, false)
        }
    }

    private func isProven(_ now: Timestamp) -> Bool { proof.at.map { now - $0 >= Self.secondsUntilProven } ?? false }

    /// Back to waiting, for a new try after a pause that grows with each failure; the first loss of a serving exit has none.
    package mutating func backOff(_ reason: ExitReason, _ detail: String, avoidServer: Bool, now: Timestamp) {
        let wasServing = state.takesTraffic
        lastFailure = Failure(
            at: now, reason: reason, detail: detail, server: server, isServersFault: avoidServer, tookTraffic: wasServing)
        if avoidServer, let hostname = server?.hostname {
            avoid.removeAll { $0.hostname == hostname || $0.until <= now }
            avoid = Array((avoid + [AvoidedServer(hostname: hostname, until: now + Self.secondsAvoided)]).suffix(20))
        }
        attempts = isProven(now) ? 0 : attempts + 1
        health = Health(verdict: .unknown)
        proof = Proof()
        move(to: attempts >= Self.attemptsUntilFailed ? .failed : .pending, reason: reason, now: now)
        self.detail = detail
        let salt = UInt64(truncatingIfNeeded: now.milliseconds) &+ UInt64(id.number)
        // A first death is bad luck; one that comes up only to die again waits, and longer each time.
        retryAt = wasServing && attempts <= 1 ? nil : now + Self.backOff.pause(attempts: attempts, salt: salt)
    }

    /// What it was given up for is over: its next try has no pause.
    package mutating func forgetFailures() {
        guard state == .pending || state == .failed else { return }
        (attempts, retryAt) = (0, nil)
    }

    /// Takes what its probes add up to.
    package mutating func judged(_ health: Health, now: Timestamp) {
        guard state.isProbed else { return }
        self.health = health
        if isProven(now) { attempts = 0 }
        guard state.takesTraffic else { return }
        let wanted: ExitState = health.verdict == .degraded || health.verdict == .dead ? .degraded : .serving
        if state != wanted { move(to: wanted, reason: health.reason, now: now) }
    }

    /// True for one that leaves because its pool is on demand and has closed.
    package var givesWay: Bool { leaving && reason == .idle }

    /// One that gives way stays after all.
    package mutating func takeBack(now: Timestamp) {
        guard givesWay else { return }
        leaving = false
        if state == .draining { move(to: .serving, now: now) } else { reason = health.verdict == .degraded ? health.reason : nil }
    }

    /// Plugs a proved exit in.
    package mutating func promote(now: Timestamp) {
        guard state == .standby else { return }
        move(to: health.verdict == .degraded ? .degraded : .serving, reason: health.reason, now: now)
    }
}

extension Exit {
    /// True where the gateway may send traffic to it: also to one that seems dead while the machine itself is offline, but
    /// never to one that leaks or is another container.
    package func isUsable(hostIsOnline: Bool) -> Bool { health.verdict != .dead || !hostIsOnline && !health.isCertain }
}

extension Health {
    /// True where one answer proves that it must not serve, whatever else fails: its traffic leaves beside the tunnel, or another
    /// container answers at its address.
    package var isCertain: Bool { verdict == .dead && (reason == .leak || reason == .wrongProxy) }
}
