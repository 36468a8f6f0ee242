import Model
import RedisStore
import Testing

@Suite struct RedisAddressTests {
    @Test(
        arguments: [
            ("unix:///run/redis.sock", "unix:///run/redis.sock"), ("redis://localhost", "redis://localhost:6379/0"),
            ("redis://10.0.0.1:7000", "redis://10.0.0.1:7000/0"), ("redis://h:7000/3", "redis://h:7000/3"),
            ("redis://h/", "redis://h:6379/0"),
            ("redis://:pass@h:7000/3", "redis://h:7000/3"), ("redis://:p@ss:w/rd@h", "redis://h:6379/0"),
        ])
    func `an address is read, and shown without its password`(text: String, shown: String) throws {
        #expect("\(try #require(RedisAddress(text)))" == shown)
    }

    @Test(
        arguments: [
            "", "redis://", "redis:///1", "unix://", "rediss://h", "rediss://:pass@h:6380", "http://h", "h:6379", "redis://h:0",
            "redis://h:65536",
            "redis://h:x", "redis://h:1:2", "redis://h/x", "redis://h/-1", "redis://user:pass@h", "redis://pass@h", "redis://[::1]:6379",
        ])
    func `what is no address that we can use is refused`(text: String) {
        #expect(RedisAddress(text) == nil)
    }

    @Test func `a password is taken as it stands, and never printed`() throws {
        let address = try #require(RedisAddress("redis://:p@ss:w/rd@h:7000/3"))
        guard case .tcp("h", 7000, let password?, 3) = address else { return #expect(Bool(false), "\(address)") }
        #expect(password.revealed == "p@ss:w/rd")
        var dumped = ""
        dump(address, to: &dumped)
        for text in ["\(address)", String(reflecting: address), "\([address])", dumped] { #expect(!text.contains("p@ss")) }
    }
}
