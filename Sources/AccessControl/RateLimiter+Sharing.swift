package import Platform

extension RateLimiter {
    /// Shares counts with other controllers ten times a second, until it is cancelled. While the memory does not answer, this process counts
    /// alone and asks once a second.
    /// - Parameter window: seconds of a window, asked for each time.
    package func share(with memory: any SharedMemory, window: @Sendable () -> Int, log: Log) async {
        var isAway = false
        while !Task.isCancelled {
            do {
                try await share(with: memory, window: window())
                if isAway { log.info("rate limits are shared again") }
                isAway = false
            } catch {
                if !isAway { log.warning("rate limits count only in this process: the store does not answer", ["error": "\(error)"]) }
                isAway = true
            }
            try? await Task.sleep(for: .milliseconds(isAway ? 1000 : 100))
        }
    }
}
