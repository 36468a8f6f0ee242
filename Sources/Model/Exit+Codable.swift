/// The row of an exit in the store and in answers between controllers: one object, in which the fields of `proof` stand beside the others.
extension Exit: Codable {
    enum CodingKeys: String, CodingKey {
        case id, generation, state, reason, detail, server, container, endpoint, slot, health, since, attempts, avoid, leaving
        case retryAt = "retry_at"
        case lastFailure = "last_failure"
        case outclassedSince = "outclassed_since"
        case credentialIsKnown = "knows_credential"
        case keyName = "key_name"
        case hasIPv6 = "ipv6"
    }

    package init(from decoder: any Decoder) throws {
        let row = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            id: try row.decode(ExitID.self, forKey: .id), slot: try row.decode(Int.self, forKey: .slot),
            now: try row.decode(Timestamp.self, forKey: .since))
        proof = try Proof(from: decoder)
        try readState(row)
        try readContainer(row)
        try readTries(row)
    }

    package func encode(to encoder: any Encoder) throws {
        var row = encoder.container(keyedBy: CodingKeys.self)
        try row.encode(id, forKey: .id)
        try row.encode(slot, forKey: .slot)
        // The same object of the encoder's: its fields are added to the row.
        try proof.encode(to: encoder)
        try writeState(&row)
        try writeContainer(&row)
        try writeTries(&row)
    }

    private mutating func readState(_ row: KeyedDecodingContainer<CodingKeys>) throws {
        state = try row.decode(ExitState.self, forKey: .state)
        reason = try row.decodeIfPresent(ExitReason.self, forKey: .reason)
        detail = try row.decodeIfPresent(String.self, forKey: .detail)
        health = try row.decode(Health.self, forKey: .health)
        leaving = try row.decode(Bool.self, forKey: .leaving)
        outclassedSince = try row.decodeIfPresent(Timestamp.self, forKey: .outclassedSince)
    }

    private func writeState(_ row: inout KeyedEncodingContainer<CodingKeys>) throws {
        try row.encode(state, forKey: .state)
        try row.encodeIfPresent(reason, forKey: .reason)
        try row.encodeIfPresent(detail, forKey: .detail)
        try row.encode(since, forKey: .since)
        try row.encode(health, forKey: .health)
        try row.encode(leaving, forKey: .leaving)
        try row.encodeIfPresent(outclassedSince, forKey: .outclassedSince)
    }

    private mutating func readContainer(_ row: KeyedDecodingContainer<CodingKeys>) throws {
        generation = try row.decode(Int.self, forKey: .generation)
        server = try row.decodeIfPresent(Server.self, forKey: .server)
        keyName = try row.decodeIfPresent(String.self, forKey: .keyName)
        container = try row.decodeIfPresent(String.self, forKey: .container)
        endpoint = try row.decodeIfPresent(Endpoint.self, forKey: .endpoint)
        credentialIsKnown = try row.decodeIfPresent(Bool.self, forKey: .credentialIsKnown)
        hasIPv6 = try row.decodeIfPresent(Bool.self, forKey: .hasIPv6) ?? false
    }

    private func writeContainer(_ row: inout KeyedEncodingContainer<CodingKeys>) throws {
        try row.encode(generation, forKey: .generation)
        try row.encodeIfPresent(server, forKey: .server)
        try row.encodeIfPresent(keyName, forKey: .keyName)
        try row.encodeIfPresent(container, forKey: .container)
        try row.encodeIfPresent(endpoint, forKey: .endpoint)
        try row.encodeIfPresent(credentialIsKnown, forKey: .credentialIsKnown)
        if hasIPv6 { try row.encode(true, forKey: .hasIPv6) }
    }

    private mutating func readTries(_ row: KeyedDecodingContainer<CodingKeys>) throws {
        attempts = try row.decode(Int.self, forKey: .attempts)
        retryAt = try row.decodeIfPresent(Timestamp.self, forKey: .retryAt)
        avoid = try row.decode([AvoidedServer].self, forKey: .avoid)
        lastFailure = try row.decodeIfPresent(Failure.self, forKey: .lastFailure)
    }

    private func writeTries(_ row: inout KeyedEncodingContainer<CodingKeys>) throws {
        try row.encode(attempts, forKey: .attempts)
        try row.encodeIfPresent(retryAt, forKey: .retryAt)
        try row.encode(avoid, forKey: .avoid)
        try row.encodeIfPresent(lastFailure, forKey: .lastFailure)
    }
}
