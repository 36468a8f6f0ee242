import Control
import HTTPTransport
import Model
import Platform
import Synchronization

extension HTTPProber {
    /// Seconds for one target, and bytes of its answer that are read at most.
    private static let canarySeconds = 10.0
    private static let canaryBytes = 256 << 10

    /// Asks a target as a user would, by CONNECT: the target sees no credential.
    func ask(_ canary: Canary, through exit: ExitProxy) async -> CanaryOutcome {
        var request = HTTPRequest("GET", canary.url)
        request.headers = [("User-Agent", "Mozilla/5.0 (compatible; Sallyport)"), ("Accept", "*/*")]
        request.go(through: proxy(of: exit))
        request.tunnels = true
        (request.connectDeadline, request.deadline, request.bodyLimit) = (Self.canarySeconds, Self.canarySeconds, Self.canaryBytes)
        let body = Mutex<[UInt8]>([])
        do {
            let response = try await client.send(request) { piece in
                body.withLock { body in
                    body += piece.prefix(Self.canaryBytes - body.count)
                    return body.count < Self.canaryBytes
                }
            }
            return Self.outcome(canary, response.status, body.withLock { $0.isEmpty ? response.body : $0 })
        } catch let error as TransportError {
            return outcome(of: error, canary)
        } catch {
            return .unknown
        }
    }

    private static func outcome(_ canary: Canary, _ status: Int, _ body: [UInt8]) -> CanaryOutcome {
        guard canary.accepts(status: status) else { return .blocked("status \(status)") }
        guard let text = canary.text else { return .passed }
        return String(decoding: body, as: UTF8.self).contains(text) ? .passed : .blocked("status \(status) without the expected text")
    }

    private func outcome(of error: TransportError, _ canary: Canary) -> CanaryOutcome {
        // Of an answer that is not a success more may have come than is read; its status has.
        if error.code == .tooLarge, error.status > 0 { return Self.outcome(canary, error.status, []) }
        switch error.code {
        case .cancelled, .closed: return .unknown
        case .connectFailed where error.proxyStatus == 0: return .unknown
        default: return HTTPProber.failure(of: error).isOurs ? .unknown : .blocked(error.message)
        }
    }
}
