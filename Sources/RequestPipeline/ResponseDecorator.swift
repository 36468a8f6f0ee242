import AccessControl
package import HTTPServing
import Platform

/// Gives every answer its headers, its tag and its coding.
enum ResponseDecorator {
    /// Bodies from here on are compressed for those who accept it.
    static let compressedFrom = 500

    /// - Parameter microseconds: asked for at the end.
    static func decorate(_ response: ServerResponse, of context: RequestContext, _ microseconds: () -> Int) -> ServerResponse {
        var response = response
        response.headers.reserveCapacity(response.headers.count + 16)
        if let verdict = context.verdict {
            response.headers.append(("X-RateLimit-Limit", String(verdict.limit)))
            response.headers.append(("X-RateLimit-Remaining", String(verdict.remaining)))
            response.headers.append(("X-RateLimit-Reset", String(verdict.reset)))
        }
        if response.status == 503 || response.status == 429, !response.headers.contains(where: { $0.name == "Retry-After" }) {
            response.headers.append(("Retry-After", "10"))
        }
        allowOrigin(&response, context)
        response.constant = response.constant ?? SecurityHeaders.api
        if response.stream == nil {
            addTag(&response, context)
            compress(&response, context)
        }
        // libmicrohttpd would end the body that a HEAD has not with a chunk, which the next answer's reader would stumble over.
        if context.request.method == "HEAD", let stream = response.stream {
            stream.finish()
            response.stream = nil
        }
        response.headers.append(("X-Response-Time", String(microseconds()) + " us"))
        return response
    }

    /// Cross-origin calls are for the listed origins alone (the Fetch standard, section 3.3).
    private static func allowOrigin(_ response: inout ServerResponse, _ context: RequestContext) {
        guard !context.settings.origins.isEmpty else { return }
        response.headers.append(("Vary", "Origin"))
        guard let origin = context.request.headers["origin"], context.settings.origins.contains(origin) else { return }
        response.headers.append(("Access-Control-Allow-Origin", origin))
        if context.request.method == "OPTIONS" {
            response.headers.append(("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE"))
            response.headers.append(
                ("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-API-Key"))
            response.headers.append(("Access-Control-Max-Age", "600"))
        } else {
            response.headers.append(
                (
                    "Access-Control-Expose-Headers",
                    "ETag, Link, Location, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-ID"
                ))
        }
    }

    private static func addTag(_ response: inout ServerResponse, _ context: RequestContext) {
        let isReading = context.request.method == "GET" || context.request.method == "HEAD"
        guard isReading, response.status == 200 else {
            response.headers.append(("Cache-Control", "no-store"))
            return
        }
        let tag = response.etag ?? self.tag(of: response.body)
        response.headers.append(("ETag", tag))
        response.headers.append(("Cache-Control", "private, no-cache"))
        if let header = context.request.headers["if-none-match"], Negotiation.matches(header, tag) {
            response.status = 304
            response.body = []
            response.compressed = nil
            response.headers.removeAll { $0.name == "Content-Type" }
        }
    }

    static func tag(of body: [UInt8]) -> String { "W/\"\(Digest.sha256(body).prefix(22))\"" }

    private static func compress(_ response: inout ServerResponse, _ context: RequestContext) {
        guard response.size >= compressedFrom else { return }
        response.headers.append(("Vary", "Accept-Encoding"))
        guard context.analysis.acceptsGzip else { return }
        if let made = response.compressed {
            guard made.count < response.size else { return }
            response.shared = made
        } else {
            guard let bytes = Gzip.compress(response.body), bytes.count < response.size else { return }
            response.body = bytes
        }
        response.headers.append(("Content-Encoding", "gzip"))
    }
}

extension ServerResponse {
    /// Tags and compresses the body once, for many answers.
    package mutating func prepare() {
        let body = body
        etag = ResponseDecorator.tag(of: body)
        compressed = body.count >= ResponseDecorator.compressedFrom ? Gzip.compress(body).map(SharedBytes.init) : nil
        shared = SharedBytes(body)
    }
}
