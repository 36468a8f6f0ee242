import Glibc

/// Descriptors that this process may have. Clients of the API must not take those that probes, engine, store and gateway need.
enum DescriptorLimit {
    /// Kept for ourselves.
    private static let reserve = 1000

    /// The most that this process may give itself.
    static var hard: Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
        return Int(clamping: limit.rlim_max)
    }

    /// Raises the soft limit to the hard one, as far as is of use; returns what it is then.
    static func raise() -> Int {
        let kind = __rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue))
        var limit = rlimit()
        guard getrlimit(kind, &limit) == 0 else { return 1024 }
        let wanted = min(limit.rlim_max, 200_000)
        if limit.rlim_cur < wanted {
            var raised = limit
            raised.rlim_cur = wanted
            if setrlimit(kind, &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// How many connections clients may have, of those that they are to have.
    static func connections(_ wanted: Int, of limit: Int) -> Int {
        min(wanted, max(10, limit - min(reserve, limit / 2)))
    }
}
