import Glibc
import Latency
import Model
import Planning
import Platform
import Providers

/// Measures the parts of the catalog for `make bench`; prints one line of JSON for each figure.
@main
enum CatalogBench {
    static func main() async throws {
        Signals.ignorePipe()
        CryptoLibrary.initialize()
        let words = Array(CommandLine.arguments.dropFirst())
        switch words.first {
        case "plan": PlanBench.run(exits: Int(words[1]) ?? 250, servers: Int(words[2]) ?? 7_000, runs: Int(words[3]) ?? 20)
        case "parse": try parse(words[1], runs: Int(words[2]) ?? 10)
        case "handshakes": try await handshakes(words[1], key: words[2], runs: Int(words[3]) ?? 1)
        case "fping": try await echoes(words[1], count: Int(words[2]) ?? 100)
        case "tcp": try await connections(words[1], count: Int(words[2]) ?? 100)
        default:
            print(
                "usage: catalog-bench plan EXITS SERVERS RUNS | parse FILE RUNS | handshakes TARGETS KEYFILE RUNS | fping ADDRESSES N | tcp ADDRESSES N"
            )
            exit(2)
        }
    }

    /// From a list in a file, read in pieces of 16 KiB as they come from a network, to servers in the order of their scores.
    private static func parse(_ path: String, runs: Int) throws {
        for _ in 0..<runs {
            let start = ContinuousClock.now
            let descriptor = open(path, O_RDONLY)
            guard descriptor >= 0 else { throw ProgramError(program: "catalog-bench", message: "\(path) can't be opened") }
            defer { close(descriptor) }
            let reader = ListReader(.nordvpn)
            var piece = [UInt8](repeating: 0, count: 16_384)
            while true {
                let count = read(descriptor, &piece, piece.count)
                guard count > 0 else { break }
                guard piece.withUnsafeBytes({ reader.feed(UnsafeRawBufferPointer(rebasing: $0[..<count])) }) else { break }
            }
            let list = try reader.finish()
            let ranked = ServerRanking.ranked(list.servers, strategy: .load)
            report(start, ranked.count)
        }
    }

    /// - Parameter path: a file with a line for each target: address, port, public key.
    private static func handshakes(_ path: String, key: String, runs: Int) async throws {
        let privateKey = Secret(try Files.read(key).filter { !$0.isWhitespace })
        let targets = try Files.read(path).split(separator: "\n").enumerated().compactMap { number, line -> HandshakeProbe.Target? in
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 3, let port = Int(words[1]) else { return nil }
            return HandshakeProbe.Target(name: "\(number)", address: words[0], port: port, publicKey: words[2])
        }
        for _ in 0..<runs {
            let start = ContinuousClock.now
            let answers = try await HandshakeProbe().measure(targets, privateKey: privateKey)
            report(start, answers.count)
        }
    }

    private static func echoes(_ addresses: String, count: Int) async throws {
        let start = ContinuousClock.now
        report(start, try await Fping().measure(all(addresses, count)).count)
    }

    private static func connections(_ addresses: String, count: Int) async throws {
        let start = ContinuousClock.now
        report(start, try await TCPProbe().measure(all(addresses, count)).count)
    }

    /// Addresses that follow each other: "198.18.1.10" or the first of many.
    private static func all(_ first: String, _ count: Int) -> [String] {
        let parts = first.split(separator: ".").compactMap { Int($0) }
        let start = parts.reduce(0) { $0 << 8 | $1 }
        return (0..<count).map { offset in
            let number = start + offset
            return "\(number >> 24 & 255).\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)"
        }
    }

    static func report(_ start: ContinuousClock.Instant, _ count: Int) {
        let seconds = Double((ContinuousClock.now - start) / .microseconds(1)) / 1e6
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        print(#"{"seconds":\#(seconds),"count":\#(count),"resident_kb":\#(usage.ru_maxrss)}"#)
    }
}
