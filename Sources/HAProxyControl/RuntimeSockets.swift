import Planning

/// The two sockets of one HAProxy: its worker's and its master's.
struct RuntimeSockets: Sendable {
    let stats: RuntimeSocket
    let master: RuntimeSocket
    /// The same, for questions that HAProxy answers at once while it is healthy.
    let quickStats: RuntimeSocket
    let quickMaster: RuntimeSocket

    init(_ settings: HAProxyConfiguration.Settings) {
        let path = "\(settings.runDirectory)/master.sock"
        stats = RuntimeSocket(path: settings.statsSocket)
        master = RuntimeSocket(path: path)
        quickStats = RuntimeSocket(path: settings.statsSocket, deadline: 0.6)
        quickMaster = RuntimeSocket(path: path, deadline: 0.6)
    }
}
