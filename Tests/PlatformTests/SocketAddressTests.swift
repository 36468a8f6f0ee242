import Glibc
import Platform
import Testing

struct SocketAddressTests {
    @Test func `a Unix socket's path has at most 107 bytes`() {
        #expect(SocketAddress(path: String(repeating: "a", count: 107)) != nil)
        #expect(SocketAddress(path: String(repeating: "a", count: 108)) == nil)
    }

    @Test func `a name without a file has at most 107 bytes too`() {
        #expect(SocketAddress(abstract: String(repeating: "a", count: 107)) != nil)
        #expect(SocketAddress(abstract: String(repeating: "a", count: 108)) == nil && SocketAddress(abstract: "") == nil)
    }

    @Test(arguments: ["", "localhost", "::1", "127.0.0.1 ", "1.2.3"])
    func `only an IPv4 address is one`(_ text: String) { #expect(SocketAddress(text, port: 80) == nil) }

    @Test func `a socket that listens is found by its address`() throws {
        let (listening, port) = try Ports.listen("127.0.0.1", 0)
        let address = try #require(SocketAddress("127.0.0.1", port: port))
        #expect(SocketAddress.port(of: listening) == port)
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        #expect(address.connect(descriptor))
        close(listening)
    }

    @Test func `a receiver with a deadline gives up after it`() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        #expect(try #require(SocketAddress("127.0.0.1", port: 0)).bind(descriptor))
        SocketOptions.setDeadline(0.05, of: descriptor)
        var byte: UInt8 = 0
        #expect(recv(descriptor, &byte, 1, 0) < 0)
        #expect(errno == EAGAIN)
    }
}
