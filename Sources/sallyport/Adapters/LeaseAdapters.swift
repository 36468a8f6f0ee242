import Control
import Glibc
import Model
import Platform
import RedisStore

/// The lease in Redis, and its number beside the gateway: a controller that can't ask Redis still sees there that it is late.
struct RedisLease: LeaseStore {
    let record: LeaseRecord
    let mark: FenceMark
    var tables: SignedTables?

    /// Whoever may not trust the store neither leads nor follows.
    func claim(_ claim: LeaseClaim) async throws -> LeaseAnswer {
        try await tables?.checkTrustOrRecall()
        // A Redis after a fail-over may have lost the last numbers, and nobody else who claims may have seen them.
        var claim = claim
        claim.highest = max(claim.highest, mark.number)
        let answer: LeaseAnswer
        do { answer = try await record.claim(claim) } catch let error as RedisError where error.code == .full { throw StoreFull(error) }
        if answer.isOurs { try mark.raise(to: answer.fence) }
        return answer
    }

    func resign(token: String) async throws { try await record.resign(token: token) }
}

/// The fencing number of the last controller that took over, in a file of the gateway's folder, which all of them share.
struct FenceMark: Sendable {
    let folder: String
    var sharing = FileSharing.none
    private var path: String { "\(folder)/fence" }

    /// 0 where no controller has left one.
    var number: Int { (try? Files.read(path, limit: 64)).flatMap { Int($0.filter(\.isNumber)) } ?? 0 }

    func raise(to fence: Int) throws {
        guard fence > number else { return }
        try sharing.makeFolder(folder)
        try sharing.write("\(fence)\n", to: path)
    }

    /// The fencing number under which a step may be taken now.
    func warrant(of leadership: Leadership) throws -> Int {
        let fence = try leadership.warrant()
        let marked = number
        guard marked <= fence else {
            leadership.observed(fence: marked)
            throw NotLeader()
        }
        return fence
    }
}

/// What a controller is called: made once for a data folder, and the same after each restart.
enum InstanceName {
    static func exists(_ folder: String) -> Bool { Files.exists("\(folder)/instance") }

    static func read(_ folder: String) throws -> String {
        let path = "\(folder)/instance"
        if let name = try? Files.read(path, limit: 128).filter({ !$0.isWhitespace }), !name.isEmpty { return name }
        var host = [CChar](repeating: 0, count: 65)
        gethostname(&host, 64)
        let plain = String(decoding: host.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self).filter {
            $0.isASCII && ($0.isLetter || $0.isNumber)
        }
        let name = "\(plain.prefix(32))-\(Digest.randomHex(bytes: 3))"
        try Files.write(name + "\n", to: path, mode: 0o600)
        return name
    }
}
