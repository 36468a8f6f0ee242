import Glibc
import Planning
import Platform

/// Workers of before that keep the gateway's ports. A worker that is told to finish closes them at once. One that hangs keeps them, and the
/// system goes on giving it a part of the new connections, which nobody answers.
extension HAProxyGateway {
    /// Seconds that a worker of before may take to close its ports.
    private static let secondsToClose = 2.0

    /// Waits until none of these workers listens, and kills those that still do after 2 s.
    func endListening(_ old: [pid_t]) async {
        guard settings.isStartedByUs else { return }
        let end = ContinuousClock.now + .seconds(Self.secondsToClose)
        var listening = GatewayProcesses.listening(of: old)
        while !listening.isEmpty, ContinuousClock.now < end, !Task.isCancelled {
            resume(listening)
            try? await Task.sleep(for: .milliseconds(20))
            listening = GatewayProcesses.listening(of: old)
        }
        for worker in listening where !Task.isCancelled {
            log.warning("an HAProxy worker that hangs is killed: it kept its ports after it was replaced", ["pid": "\(worker.pid)"])
            await endByForce(worker.pid)
        }
    }

    /// Kills a process and waits until the last of its threads is gone, which closes its ports; for at most 1 s.
    func endByForce(_ pid: pid_t) async {
        kill(pid, SIGKILL)
        let end = ContinuousClock.now + .seconds(1)
        while GatewayProcesses.hasThreads(pid), ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(5)) }
    }
}
