// The fuzzer compiles this file and the proxy as one module (Tests/Fuzzing/run).
#if canImport(ExitProxy)
    @testable import ExitProxy
#endif

/// Gives bytes to the proxy's parsers, and says which of their rules was broken. A wrong index ends the process.
enum ParserTrial {
    /// - Parameter input: the first byte chooses the parser; the others are what it reads.
    /// - Returns: nil where all rules hold.
    static func brokenRule(_ input: [UInt8]) -> String? {
        guard let choice = input.first else { return nil }
        let bytes = input.dropFirst()
        switch choice % 8 {
        case 0: return request(bytes)
        case 1: return answer(bytes, to: choice < 128 ? "GET" : "HEAD")
        case 2: return body(bytes)
        case 3: return handshake(bytes)
        case 4: return message(Array(bytes))
        case 5: return settings(String(decoding: bytes, as: UTF8.self))
        case 6: return base64(bytes)
        default: return target(bytes)
        }
    }

    private static func request(_ bytes: ArraySlice<UInt8>) -> String? {
        guard let (request, size) = try? Request.read(bytes) else { return nil }
        guard (1...bytes.count).contains(size) else { return "a request takes its own bytes" }
        for cut in [0, size / 2, size - 1] where (try? Request.read(bytes.prefix(cut))) != nil { return "half a request is none" }
        _ = (request.ticket, request.silence, request.keepsAlive)
        guard request.path != nil else { return nil }
        var buffer = ByteBuffer()
        request.write(to: &buffer)
        guard let (head, written) = try? Head.read(buffer.contents, isStrict: true), written == buffer.count else {
            return "a target gets one head"
        }
        guard head.line.count == 3, String(decoding: head.line[0], as: UTF8.self) == request.method else {
            return "it has the line of the request"
        }
        let own = ["proxy-authorization", "proxy-connection", "x-sallyport-ticket", "x-sallyport-silence"]
        return head.fields.contains { own.contains($0.name) } ? "a target learns nothing of the proxy" : nil
    }

    private static func answer(_ bytes: ArraySlice<UInt8>, to method: String) -> String? {
        guard let (answer, size) = try? Answer.read(bytes, to: method) else { return nil }
        guard (1...bytes.count).contains(size) else { return "an answer takes its own bytes" }
        var buffer = ByteBuffer()
        answer.write(to: &buffer, closes: true)
        guard let (head, written) = try? Head.read(buffer.contents, isStrict: false), written == buffer.count else {
            return "a client gets one head"
        }
        return head.fields.contains { $0.name == "x-sallyport-reason" } ? "a target does not speak for the proxy" : nil
    }

    private static func body(_ bytes: ArraySlice<UInt8>) -> String? {
        let head = Array("POST x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)[...]
        guard let (head, _) = try? Head.read(head, isStrict: true), var whole = try? BodyScanner(of: head, isOneOne: true, absent: .none)
        else { return "a chunked body is known" }
        var (pieces, taken) = (whole, 0)
        let all = try? whole.take(bytes)
        for byte in bytes {
            guard let count = try? pieces.take([byte]) else { return all == nil ? nil : "a body is the same in pieces" }
            taken += count
        }
        return taken == all && whole == pieces ? nil : "a body is the same in pieces"
    }

    private static func handshake(_ bytes: ArraySlice<UInt8>) -> String? {
        let outcomes = [bytes.count, 1].map { piece -> [Socks5.Outcome] in
            var (socks, buffer, outcomes) = (Socks5(), ByteBuffer(), [Socks5.Outcome]())
            var rest = bytes
            while !rest.isEmpty {
                buffer.append(rest.prefix(piece))
                rest = rest.dropFirst(piece)
                while true {
                    let outcome = socks.take(&buffer) { name, _ in name.count != 3 }
                    if outcome == .wait { break }
                    outcomes.append(outcome)
                    guard case .answer = outcome else { return outcomes }
                }
            }
            return outcomes
        }
        return outcomes[0] == outcomes[1] ? nil : "a handshake is the same in pieces"
    }

    private static func message(_ bytes: [UInt8]) -> String? {
        guard let reply = DNSMessage.reply([0, 7] + bytes, to: "example.com", id: 7), !reply.isTruncated else { return nil }
        guard (0...Int(Int32.max)).contains(reply.seconds) else { return "a reply is kept for a time" }
        return reply.isDenial == reply.addresses.isEmpty ? nil : "a reply has addresses or denies them"
    }

    private static func settings(_ text: String) -> String? {
        do throws(SettingsText.Fault) { _ = try SettingsText(text) } catch {
            return error.description.hasPrefix("line ") ? nil : "a fault says its line"
        }
        return nil
    }

    private static func base64(_ bytes: ArraySlice<UInt8>) -> String? {
        let digits = bytes.prefix { $0 != 61 }.count
        guard let decoded = Base64.decode(bytes) else { return nil }
        return decoded.count == digits * 6 / 8 ? nil : "four digits are three bytes"
    }

    private static func target(_ bytes: ArraySlice<UInt8>) -> String? {
        for target in [Target(authority: bytes), Target(authority: bytes, port: 80), Target.read(uri: bytes)?.target].compactMap({ $0 }) {
            let text: String
            switch target.host {
            case .name(let name): text = name
            case .address(.v4(let address)): text = address.octets.map(String.init).joined(separator: ".")
            case .address(.v6(let address)):
                let words = [address.high, address.low].flatMap { half in [48, 32, 16, 0].map { half >> UInt64($0) & 0xFFFF } }
                text = "[\(words.map { String($0, radix: 16) }.joined(separator: ":"))]"
            case .own: continue
            }
            let again = Target(authority: Array("\(text):\(target.port)".utf8)[...])
            guard again == target, text.utf8.count <= 253 else { return "a target is read once and for all" }
        }
        return nil
    }
}
