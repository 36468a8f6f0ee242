import Model
import Testing

/// What a user is told of quotas and sessions.
@Suite struct UserQuotaTests {
    @Test(arguments: [
        ("2026-11-30T22:28:57.001Z", "2026-12-01T00:00:00.000Z", "2026-12-01T00:00:00.000Z"),
        ("2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z"),
        ("2026-12-01T00:00:00.000Z", "2026-12-02T00:00:00.000Z", "2027-01-01T00:00:00.000Z"),
        ("2028-02-28T12:00:00.000Z", "2028-02-29T00:00:00.000Z", "2028-03-01T00:00:00.000Z"),
    ])
    func `days and months begin at midnight UTC`(now: String, day: String, month: String) throws {
        let now = try #require(Timestamp(now))
        #expect(QuotaUse(quota: .day, limit: 1, used: 0).reset(after: now)?.description == day)
        #expect(QuotaUse(quota: .month, limit: 1, used: 0).reset(after: now)?.description == month)
        #expect(QuotaUse(quota: .total, limit: 1, used: 0).reset(after: now) == nil)
    }

    @Test func `each limit of bytes is a quota, and nothing is left of one that is exceeded`() {
        var limits = ProxyUser.Limits(connections: 5)
        let (day, month, total) = (Usage(bytesIn: 1, bytesOut: 2), Usage(bytesIn: 10, bytesOut: 20), Usage(bytesIn: 100, bytesOut: 200))
        #expect(limits.quotas((day, month, total)).isEmpty)
        (limits.bytesPerMonth, limits.bytesTotal) = (100, 50)
        let quotas = limits.quotas((day, month, total))
        #expect(quotas.map(\.quota.period) == ["month", "total"] && quotas.map(\.used) == [30, 300] && quotas.map(\.left) == [70, 0])
    }

    @Test(
        arguments: [
            ("alice/a1/us/", "a1", ["US"], nil), ("alice/a_1/us,ca/newyork", "a_1", ["US", "CA"], "newyork"),
            ("alice/b/any/", "b", [], nil),
        ] as [(String, String, [String], String?)])
    func `a session is read from its key`(key: String, name: String, countries: [String], city: String?) throws {
        let session = try #require(ProxySession(key: key, exitNumber: 1, endsAt: Timestamp(milliseconds: 0)))
        #expect(session.name == name && session.countries.map(\.rawValue) == countries && session.city == city && session.key == key)
    }

    @Test(arguments: ["", "alice", "alice/a1/us", "alice/a1//", "alice/a1/zz/", "alice/a1/us/x/y"])
    func `anything else is none`(key: String) {
        #expect(ProxySession(key: key, exitNumber: 1, endsAt: Timestamp(milliseconds: 0)) == nil)
    }

    @Test func `a user without a token is stored as before, and one with it is read again`() throws {
        var user = ProxyUser(name: "alice", passwords: [], createdAt: Timestamp(milliseconds: 1))
        #expect(user.changedSettings(from: user) == [])
        let old = user
        user.token = ProxyUser.Token(digest: "ab", createdAt: Timestamp(milliseconds: 2), expiresAt: Timestamp(milliseconds: 3))
        #expect(user.changedSettings(from: old) == ["token"])
    }
}
