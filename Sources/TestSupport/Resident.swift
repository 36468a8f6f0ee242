import Platform

/// Memory of this process.
package enum Resident {
    /// What is in memory now; 0 where the system does not say.
    package static func kilobytes() -> Int {
        let status = (try? Files.read("/proc/self/status")) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return Int(line.filter(\.isNumber)) ?? 0
    }
}
