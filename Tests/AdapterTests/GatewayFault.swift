import Dispatch
import Glibc
@testable import HAProxyControl
import Planning
import Platform
import Synchronization
import TestSupport
import Testing

/// What operators, programs and fate do to an HAProxy behind its controller's back, each on a real one.
enum GatewayFault: String, CaseIterable, CustomTestStringConvertible {
    case masterStopped, workerStopped, bothStopped, masterHangs, workerHangs, bothHang
    case masterKilled, workerKilled, workerKilledMasterStopped, masterKilledWorkerStopped, masterKilledWorkerHangs
    case masterToldToFinish, workerToldToFinish, listenersPaused
    case folderDeleted, folderMoved, folderDeletedMasterHangs
    case workersSocketDeleted, workersSocketReplaced, mastersSocketDeleted, innerSocketDeleted, pidFileDeleted, pidFileEmptied
    case frontendDisabled, frontendShut, innerFrontendShut, frontendLimited, allLimited, ratesLimited
    case innerServerDisabled, serverLimited, serverDeleted, serverAdded, serverDown, serverMoved, serverWeighed, tunnelMoved

    var testDescription: String { rawValue }

    /// False where the process that carries a connection is killed, or can't be brought to go on.
    var keepsConnections: Bool {
        switch self {
        case .workerHangs, .bothHang, .masterKilled, .workerKilled, .workerKilledMasterStopped, .masterKilledWorkerStopped,
            .masterKilledWorkerHangs:
            false
        default: true
        }
    }

    func happen(to subject: GatewaySubject, _ holders: inout [Holder]) async throws {
        let (master, worker) = (pid_t(try await subject.masterPid), pid_t(try await subject.workerPid))
        let folder = subject.folder.path
        func tell(_ commands: String...) async throws {
            for command in commands { _ = try await RuntimeSocket(path: subject.settings.statsSocket).send(command) }
        }
        switch self {
        case .masterStopped: kill(master, SIGSTOP)
        case .workerStopped: kill(worker, SIGSTOP)
        case .bothStopped:
            kill(master, SIGSTOP)
            kill(worker, SIGSTOP)
        case .masterHangs: holders = [Holder(master)]
        case .workerHangs: holders = [Holder(worker)]
        case .bothHang: holders = [Holder(master), Holder(worker)]
        case .masterKilled: kill(master, SIGKILL)
        case .workerKilled: kill(worker, SIGKILL)
        case .workerKilledMasterStopped:
            kill(master, SIGSTOP)
            kill(worker, SIGKILL)
        case .masterKilledWorkerStopped:
            kill(worker, SIGSTOP)
            kill(master, SIGKILL)
        case .masterKilledWorkerHangs:
            holders = [Holder(worker)]
            kill(master, SIGKILL)
        case .masterToldToFinish: kill(master, SIGUSR1)
        case .workerToldToFinish: kill(worker, SIGUSR1)
        case .listenersPaused: kill(worker, SIGTTOU)
        case .folderDeleted: Files.remove(folder)
        case .folderMoved: rename(folder, "\(folder).away")
        case .folderDeletedMasterHangs:
            holders = [Holder(master)]
            Files.remove(folder)
        case .workersSocketDeleted: Files.remove(subject.settings.statsSocket)
        case .workersSocketReplaced: try Files.write("none\n", to: subject.settings.statsSocket, mode: 0o600)
        case .mastersSocketDeleted: Files.remove("\(folder)/master.sock")
        case .innerSocketDeleted: Files.remove("\(folder)/socks5.sock")
        case .pidFileDeleted: Files.remove("\(folder)/haproxy.pid")
        case .pidFileEmptied: try Files.write("", to: "\(folder)/haproxy.pid", mode: 0o600)
        case .frontendDisabled: try await tell("disable frontend gateway")
        case .frontendShut: try await tell("shutdown frontend gateway")
        case .innerFrontendShut: try await tell("shutdown frontend socks5-connect")
        case .frontendLimited: try await tell("set maxconn frontend gateway 1")
        case .allLimited: try await tell("set maxconn global 1")
        case .ratesLimited: try await tell("set rate-limit connections global 1", "set rate-limit sessions global 1")
        case .innerServerDisabled: try await tell("disable server socks5/socks5", "set server again/again weight 0")
        case .serverLimited: try await tell("set maxconn server pool-us/s1 1")
        case .serverDeleted: try await tell("set server pool-us/s20 state maint", "del server pool-us/s20")
        case .serverAdded: try await tell("add server pool-us/other 127.0.0.1:9", "enable server pool-us/other")
        case .serverDown: try await tell("set server pool-us/s1 health down")
        case .serverMoved: try await tell("set server pool-us/s1 addr 127.0.0.1 port 9")
        case .tunnelMoved: try await tell("set server tunnels/pool-us.s1 addr 127.0.0.1 port 9")
        case .serverWeighed: try await tell("set server pool-us/s1 weight 0")
        }
    }

    /// Stops a process again whenever somebody lets it go on, as one that hangs and can't be woken.
    final class Holder: Sendable {
        private let isOver = Mutex(false)

        init(_ pid: pid_t) {
            kill(pid, SIGSTOP)
            DispatchQueue(label: "test.holder").async { [self] in
                while !isOver.withLock({ $0 }), kill(pid, SIGSTOP) == 0 { usleep(20) }
            }
        }

        func end() { isOver.withLock { $0 = true } }
    }
}
