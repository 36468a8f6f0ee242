import Control
import FoundationEssentials
import Model
import Testing

/// What followers and leaders of different versions say to each other: texts as the version before wrote them.
@Suite struct CommandRelayTests {
    private func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    private func read<Value: Decodable>(_ text: String) throws -> Value { try JSONDecoder().decode(Value.self, from: Data(text.utf8)) }

    private static let at = Timestamp(milliseconds: 1_700_000_000_123)
    private static let plain = ProxyUser(name: "bob", salt: "5a17", digest: "d16e57", createdAt: at)

    private static let full: ProxyUser = {
        var user = plain
        user.passwords.append(.init(salt: "01d", digest: "01d1", expiresAt: at))
        (user.expiresAt, user.isDisabled, user.countries, user.fallback) = (at, true, [us, de], [de])
        (user.addresses, user.addressRule) = (["203.0.113.0/24"], .insteadOfPassword)
        user.limits = .init(connections: 1, connectionsPerSecond: 2, bytesPerDay: 3, bytesPerMonth: 4, bytesTotal: 5)
        return user
    }()

    private static let limits = ServerLimits(tags: ["p2p"], hostnames: ["us1.test"], exclude: ["us2.test"])

    private static let commands: [(ControllerCommand, String)] = [
        (
            .addExit(ExitRequest(country: us)),
            #"{"addExit":{"_0":{"country":"US","limits":{}}},"by":"the-admin"}"#
        ),
        (
            .addExit(ExitRequest(country: us, provider: .nordvpn, city: "New York", limits: limits, strategy: .load)),
            #"{"addExit":{"_0":{"city":"New York","country":"US","limits":{"exclude":["us2.test"],"hostnames":["us1.test"],"#
                + #""tags":["p2p"]},"provider":"nordvpn","strategy":"load"}},"by":"the-admin"}"#
        ),
        (
            .removeExit(ExitID(country: us, number: 1)),
            #"{"by":"the-admin","removeExit":{"_0":"us-1"}}"#
        ),
        (
            .rotateExit(ExitID(country: us, number: 12)),
            #"{"by":"the-admin","rotate":{"_0":"us-12"}}"#
        ),
        (
            .setPool(Pool(country: us, size: 1)),
            #"{"by":"the-admin","setPool":{"_0":{"country":"US","limits":{},"size":1,"standby":0,"strategy":"balanced"}}}"#
        ),
        (
            .setPool(
                Pool(
                    country: us, size: 2, provider: .nordvpn, city: "Dallas", limits: limits, standby: 1, rotateEvery: 3600,
                    rotateAfterMegabytes: 500, spread: .roundRobin, fallback: [de])),
            #"{"by":"the-admin","setPool":{"_0":{"city":"Dallas","country":"US","fallback":["DE"],"#
                + #""limits":{"exclude":["us2.test"],"hostnames":["us1.test"],"tags":["p2p"]},"provider":"nordvpn","#
                + #""rotate_after_mb":500,"rotate_every":3600,"size":2,"spread":"round_robin","standby":1,"strategy":"balanced"}}}"#
        ),
        (
            .removePool(us),
            #"{"by":"the-admin","removePool":{"_0":"US"}}"#
        ),
        (
            .addUser(plain),
            #"{"addUser":{"_0":{"created_at":"2023-11-14T22:13:20.123Z","name":"bob","passwords":[{"digest":"d16e57","#
                + #""salt":"5a17"}]}},"by":"the-admin"}"#
        ),
        (
            .changeUser(full),
            #"{"by":"the-admin","changeUser":{"_0":{"address_rule":"instead_of_password","addresses":["203.0.113.0\/24"],"#
                + #""countries":["US","DE"],"created_at":"2023-11-14T22:13:20.123Z","disabled":true,"#
                + #""expires_at":"2023-11-14T22:13:20.123Z","fallback":["DE"],"limits":{"bytes_per_day":3,"bytes_per_month":4,"#
                + #""bytes_total":5,"connections":1,"connections_per_second":2},"name":"bob","passwords":[{"digest":"d16e57","#
                + #""salt":"5a17"},{"digest":"01d1","expires_at":"2023-11-14T22:13:20.123Z","salt":"01d"}]}}}"#
        ),
        (
            .removeUser("bob"),
            #"{"by":"the-admin","removeUser":{"_0":"bob"}}"#
        ),
    ]

    private static let answers: [(CommandAnswer, String)] = [
        (
            .done,
            #"{"done":{}}"#
        ),
        (
            .exit(Exit(id: ExitID(country: us, number: 1), slot: 1, now: at)),
            #"{"exit":{"_0":{"attempts":0,"avoid":[],"carried_bytes":0,"generation":0,"health":{"failures":0,"score":1,"#
                + #""verdict":"unknown","weight":100},"id":"us-1","knows_credential":true,"leaving":false,"#
                + #""since":"2023-11-14T22:13:20.123Z","slot":1,"state":"pending"}}}"#
        ),
        (
            .missed,
            #"{"missed":{}}"#
        ),
        (
            .refused(code: "not_found", message: "there is no exit us-7"),
            #"{"refused":{"code":"not_found","message":"there is no exit us-7"}}"#
        ),
    ]

    @Test func `every command is written and read as by the version before`() throws {
        for (command, json) in Self.commands {
            let forwarded = ForwardedCommand(command, by: "the-admin")
            #expect(try text(forwarded) == json)
            #expect(try read(json) == forwarded)
            // A version that knows no `by`, and what it writes.
            #expect(try read(json) == command)
            #expect(try read(text(command)) == ForwardedCommand(command))
        }
    }

    @Test func `every answer is written and read as by the version before`() throws {
        for (answer, json) in Self.answers {
            #expect(try text(answer) == json)
            #expect(try read(json) == answer)
        }
    }
}
