import Model
import RedisStore
import Testing

@Suite struct RedisAddressTests {
    @Test(
        arguments: [
            ("unix:///run/redis.sock", "unix:///run/redis.sock"), ("redis://localhost", "redis://localhost:6379/0"),
            ("redis://10.0.0.1:7000", "redis://10.0.0.1:7000/0"), ("redis://h:7000/3", "redis://h:7000/3"),
            ("redis://h/", "redis://h:6379/0"), ("redis://h:/2/", "redis://h:6379/2"), ("redis://h:7000?db=3", "redis://h:7000/3"),
            ("redis://h/3?db=3&timeout=5", "redis://h:6379/3"), ("redis://h?", "redis://h:6379/0"),
            (" REDIS://My-Host_1.example.:7000 \n", "redis://My-Host_1.example.:7000/0"), ("Redis://h", "redis://h:6379/0"),
            ("valkey://h", "redis://h:6379/0"), ("redis://h/1000", "redis://h:6379/1000"),
            ("redis://[::1]:6380/2", "redis://[::1]:6380/2"), ("redis://[2001:db8::7]", "redis://[2001:db8::7]:6379/0"),
            ("redis://[fe80::1%25eth0]:1", "redis://[fe80::1%25eth0]:1/0"),
            ("redis+unix:///run/r.sock?db=2", "unix:///run/r.sock?db=2"), ("UNIX:///run/r%20s.sock", "unix:///run/r s.sock"),
            ("unix:/run/r.sock", "unix:///run/r.sock"), ("redis+socket:///run/r.sock", "unix:///run/r.sock"),
        ])
    func `an address is read as clients and providers print it`(text: String, shown: String) throws {
        #expect("\(try RedisAddress(reading: text))" == shown)
    }

    @Test(
        arguments: [
            ("redis://:pa55@h", nil, "pa55"), ("redis://:p@ss:w/rd@h", nil, "p@ss:w/rd"), ("redis://:p%40ss%2F%3a%25@h", nil, "p@ss/:%"),
            ("redis://user:pa55@h", "user", "pa55"), ("redis://us%40er:p%C3%A9@h", "us@er", "pé"), ("redis://user@h", "user", nil),
            ("redis://default:pa55@[::1]:7000/3", "default", "pa55"), ("redis://:@h", nil, nil), ("redis://@h", nil, nil),
            ("redis://:a#b c?d@h", nil, "a#b c?d"), ("unix://user:pa55@/run/r.sock?db=1", "user", "pa55"),
            ("unix:///run/r.sock?password=p%26q", nil, "p&q"), ("redis://h?username=u&password=p", "u", "p"),
            ("RedIS://u:p@h?db=1", "u", "p"),
        ])
    func `user and password are decoded, and the password is never printed`(text: String, user: String?, password: String?) throws {
        let address = try RedisAddress(reading: text)
        #expect(address.user == user && address.password?.revealed == password)
        var dumped = ""
        dump(address, to: &dumped)
        guard let password, password.count > 1 else { return }
        for text in ["\(address)", String(reflecting: address), "\([address])", dumped] { #expect(!text.contains(password)) }
    }

    @Test(
        arguments: [
            ("", "expected redis://"), ("redis://", "no host"), ("redis:///1", "no host"), ("redis://:s3cret@", "no host"),
            ("unix://", "path"),
            ("rediss://h", "TLS"), ("REDISS://:s3cret@h:6380", "TLS"), ("http://:s3cret@h", "expected redis://"),
            ("h:6379", "expected redis://"),
            ("redis:h", "expected redis://"), ("s3cret", "expected redis://"), ("redis-sentinel://:s3cret@h", "expected redis://"),
            ("redis://h:0", "port"), ("redis://h:65536", "port"), ("redis://h:x", "port"), ("redis://h:+1", "port"),
            ("redis://h:1:2", "brackets"), ("redis://::1:6379", "brackets"), ("redis://[::1", "host"), ("redis://[h]:1", "IPv6"),
            ("redis://[::1]x", "IPv6"), ("redis://[::1]:x", "port"), ("redis://h/x", "database"), ("redis://h/-1", "database"),
            ("redis://h/1/2", "database"), ("redis://h/1?db=2", "two databases"), ("redis://h?db=x", "database"),
            ("redis://h?ssl_cert_reqs=none", "unknown field ssl_cert_reqs"), ("redis://h?timeout=0", "timeout"),
            ("redis://:s3cret%@h", "%25"), ("redis://:s3cret%4@h", "%25"), ("redis://:s3cret%zz@h", "%25"),
            ("redis://:s3cret%ff@h", "UTF-8"), ("redis://s3/cret:x@h", "user name"), ("redis://bücher.example", "ASCII"),
            ("redis://h h", "ASCII"), ("redis://h#x", "#"), ("redis://:s3\ncret@h", "control"),
            ("unix:///\(String(repeating: "x", count: 107))", "107"),
        ])
    func `what is no address that we can use is refused with the reason, which has no password in it`(text: String, reason: String) throws {
        let error = try #require(throws: RedisAddressError.self) { try RedisAddress(reading: text) }
        #expect("\(error)".contains(reason) && !"\(error)".contains("s3"), "\(error)")
    }
}
