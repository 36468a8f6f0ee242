import FoundationEssentials
import HTTPTransport

extension EngineClient {
    /// GET /networks/{name}; nil when there is none.
    package func network(_ name: String) async throws -> NetworkDetails? {
        do {
            return try await get("/networks/\(escaped(name))", as: NetworkDetails.self, action: "inspecting network \(name)")
        } catch let error as EngineError where error.code == .notFound {
            return nil
        }
    }

    /// GET /networks: those with this label ("key" or "key=value").
    package func listNetworks(label: String) async throws -> [NetworkDetails] {
        let filters = try String(decoding: JSONEncoder().encode(["label": [label]]), as: UTF8.self)
        return try await get("/networks?filters=\(escaped(filters))", as: [NetworkDetails].self, action: "listing networks")
    }

    /// POST /networks/create
    package func createNetwork(_ specification: NetworkCreate) async throws {
        _ = try await call("POST", "/networks/create", json: specification, action: "creating network \(specification.name)")
    }

    /// DELETE /networks/{name}. One that is gone is no error.
    package func removeNetwork(_ name: String) async throws {
        do {
            try await call("DELETE", "/networks/\(escaped(name))", action: "removing network \(name)")
        } catch let error as EngineError where error.code == .notFound {}
    }

    /// DELETE /volumes/{name}. One that is gone is no error.
    package func removeVolume(_ name: String) async throws {
        do {
            try await call("DELETE", "/volumes/\(escaped(name))", action: "removing volume \(name)")
        } catch let error as EngineError where error.code == .notFound {}
    }

    /// GET /events of containers with this label, until the engine ends the stream.
    package func containerEvents(label: String) async throws -> AsyncThrowingStream<EngineEvent, any Error> {
        let filters = try String(decoding: JSONEncoder().encode(["type": ["container"], "label": [label]]), as: UTF8.self)
        let chunks = try await stream("GET", "/events?filters=\(escaped(filters))", deadline: 0, action: "following events")
        return .filled { continuation in
            var lines = LineBuffer()
            for try await chunk in chunks {
                for line in lines.take(chunk) {
                    if let event = try? EngineCoding.decode(EngineEvent.self, from: line) { continuation.yield(event) }
                }
            }
        }
    }
}
