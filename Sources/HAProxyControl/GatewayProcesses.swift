import Glibc
import Platform

/// The living processes of one gateway's HAProxy, as /proc shows them: found by the pid file in their command line, so also where no socket
/// leads to them any more.
struct GatewayProcesses: Sendable {
    struct Entry: Equatable, Sendable {
        var pid: pid_t
        var parent: pid_t
        /// The system's letter: R, S, D, T (stopped by a signal) and others. No Z: what is dead is not listed.
        var state: Character
        /// Ticks from the machine's start to the process's.
        var start: Int
    }

    let entries: [Entry]

    /// - Parameter pidFile: the word behind `-p`; absolute.
    static func of(pidFile: String) -> GatewayProcesses {
        // The same path can be another file where somebody else is mounted: in a container, for one.
        let space = Files.target(of: "/proc/self/ns/mnt")
        let names = (try? Files.list("/proc")) ?? []
        let entries = names.compactMap { name -> Entry? in
            guard let pid = pid_t(name), isOurs(pid, pidFile), Files.target(of: "/proc/\(pid)/ns/mnt") == space else { return nil }
            return entry(pid)
        }
        return GatewayProcesses(entries: entries)
    }

    private static func isOurs(_ pid: pid_t, _ pidFile: String) -> Bool {
        guard let text = try? Files.read("/proc/\(pid)/cmdline") else { return false }
        let words = text.split(separator: "\0")
        guard words.first?.split(separator: "/").last == "haproxy", let place = words.firstIndex(of: "-p") else { return false }
        return words.dropFirst(place + 1).first == Substring(pidFile)
    }

    /// Nil for a process that has ended, buried or not.
    static func entry(_ pid: pid_t) -> Entry? {
        // "4711 (haproxy) S 1 ...": the name may hold blanks and brackets.
        guard let text = try? Files.read("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        let words = text[text.index(after: end)...].split(separator: " ")
        guard words.count > 19, let state = words[0].first, state != "Z", state != "X", let parent = pid_t(words[1]),
            let start = Int(words[19])
        else { return nil }
        return Entry(pid: pid, parent: parent, state: state, start: start)
    }

    /// False once a process has ended with all of its threads. The first one can have ended before the others, and they have its ports open.
    static func hasThreads(_ pid: pid_t) -> Bool {
        entry(pid) != nil || ((try? Files.list("/proc/\(pid)/task")) ?? []).count > 1
    }

    /// Those of the processes that live and have a TCP port open to connections.
    static func listening(of pids: [pid_t]) -> [Entry] {
        let living = pids.compactMap(entry)
        guard !living.isEmpty else { return [] }
        let sockets = ListeningSockets()
        return living.filter { sockets.areOpen(in: $0.pid) }
    }

    /// Those that no other one of them has started: masters, and workers whose master is dead.
    var heads: [Entry] { entries.filter { entry in !entries.contains { $0.pid == entry.parent } } }

    func workers(of head: Entry) -> [Entry] { entries.filter { $0.parent == head.pid } }

    /// The worker that was started last: the one that listens, where any does.
    var newestWorker: Entry? {
        entries.filter { entry in !entries.contains { $0.parent == entry.pid } }.max { ($0.start, $0.pid) < ($1.start, $1.pid) }
    }

    /// The newest worker and its master, where that lives.
    var newest: [Entry] {
        guard let worker = newestWorker else { return [] }
        return entries.filter { $0.pid == worker.parent } + [worker]
    }
}
