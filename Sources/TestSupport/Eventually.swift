import Platform

/// What was waited for did not come.
package struct TimeoutError: Error, CustomStringConvertible {
    package var what: String
    package var description: String { "did not happen in time: \(what)" }
    package init(what: String) { self.what = what }
}

/// Asks again and again until the answer is there, at most `seconds` of `SimulatedTime.current`.
package func eventually<Value>(
    _ what: String, within seconds: Double = 10, every milliseconds: Int = 20, _ body: () async throws -> Value?
) async throws -> Value {
    let time = SimulatedTime.current
    let end = time.instant + .seconds(seconds)
    while true {
        if let value = try await body() { return value }
        guard time.instant < end else { throw TimeoutError(what: what) }
        try await time.sleep(seconds: Double(milliseconds) / 1000)
    }
}

/// Asks again and again until it is true.
package func eventually(_ what: String, within seconds: Double = 10, isTrue: () async throws -> Bool) async throws {
    let _: Bool = try await eventually(what, within: seconds) { try await isTrue() ? true : nil }
}
