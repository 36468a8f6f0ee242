import Glibc

/// What the system says of this process, under the names that Prometheus's own client libraries use.
package struct ProcessFigures: Sendable {
    package var cpuSeconds: Double
    package var residentBytes: Int
    package var virtualBytes: Int
    package var threads: Int
    package var openFiles: Int

    /// Reads them now (proc(5)); nil where there is no such file system.
    package static func now() -> ProcessFigures? {
        guard let stat = try? Files.read("/proc/self/stat"), let end = stat.lastIndex(of: ")") else { return nil }
        // From the third field on: the second one, the program's name, may hold blanks.
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 21, let user = Double(fields[11]), let system = Double(fields[12]), let threads = Int(fields[17]),
            let virtual = Int(fields[20]), let pages = Int(fields[21])
        else { return nil }
        return ProcessFigures(
            cpuSeconds: (user + system) / Double(max(1, sysconf(Int32(_SC_CLK_TCK)))),
            residentBytes: pages * Int(sysconf(Int32(_SC_PAGESIZE))),
            virtualBytes: virtual, threads: threads, openFiles: countFiles())
    }

    private static func countFiles() -> Int {
        guard let folder = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // Not the two names of folders, nor the one that was opened to look.
        return max(0, count - 3)
    }
}
