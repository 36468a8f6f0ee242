import Glibc
import Platform

/// What of this machine's kernel exits and gateway need.
struct KernelFacts: Sendable, Equatable {
    enum Presence: Sendable { case there, missing, unknown }

    var hasWireGuard = false
    /// `/dev/net/tun`, which the engine gives to each exit.
    var hasTun = false
    var nftables = Presence.unknown
    var hasIPv6 = false
    /// `net.bridge.bridge-nf-call-iptables`; nil without br_netfilter.
    var bridgeCalls: Int?
    /// `net.ipv4.tcp_tw_reuse`; nil where it is not there.
    var reusesPorts: Int?

    var tunnel: Judgement {
        guard hasTun else {
            return .fault("there is no /dev/net/tun, which each exit's container gets", "modprobe tun, and add tun to /etc/modules")
        }
        return .pass(
            hasWireGuard
                ? "the kernel has WireGuard, and /dev/net/tun is there"
                : "/dev/net/tun is there; without WireGuard in the kernel exits use wireguard-go, which takes more of the processor")
    }

    var firewall: Judgement {
        switch nftables {
        case .there: .pass("the kernel has nf_tables for the exits' firewall")
        case .missing:
            .fault(
                "the kernel has no nf_tables, and no exit starts without its firewall",
                "modprobe nf_tables, or use a kernel with CONFIG_NF_TABLES and CONFIG_NF_TABLES_INET")
        case .unknown: .warning("whether the kernel has nf_tables can't be seen by this user", "run `sallyport doctor` as root")
        }
    }

    /// - Parameter isWanted: an account or a WireGuard file has an IPv6 address.
    func ipv6(isWanted: Bool) -> Judgement {
        if hasIPv6 { return .pass("the kernel has IPv6; exits turn it off beside their tunnel") }
        guard isWanted else { return .pass("the kernel has no IPv6, and no account has an address of it") }
        return .warning(
            "the kernel has no IPv6 (ipv6.disable=1), and an account has an IPv6 address, which no tunnel then gets",
            "take ipv6.disable=1 from the kernel's command line, or the IPv6 address from the account")
    }

    var bridge: Judgement {
        switch bridgeCalls {
        case 1?: .pass("br_netfilter is there: the engine keeps exits apart, besides their own firewalls")
        case nil:
            .warning(
                "br_netfilter is not loaded: the engine can't keep exits apart, only their own firewalls do",
                "echo br_netfilter >/etc/modules-load.d/sallyport.conf && modprobe br_netfilter, then restart the engine")
        case let number?:
            .warning(
                "net.bridge.bridge-nf-call-iptables is \(number): the engine can't keep exits apart, only their own firewalls do",
                "sysctl -w net.bridge.bridge-nf-call-iptables=1, and look who has turned it off")
        }
    }

    /// - Parameter isOurs: HAProxy runs on this machine's network.
    func portReuse(isOurs: Bool) -> Judgement {
        guard isOurs else { return .pass("HAProxy has a network of its own") }
        guard let reusesPorts, reusesPorts != 1 else { return .pass("local ports are used again after a second") }
        return .warning(
            "net.ipv4.tcp_tw_reuse is \(reusesPorts): an exit that gets more than 200 new connections a second runs out of local ports",
            "echo net.ipv4.tcp_tw_reuse=1 >/etc/sysctl.d/60-sallyport.conf && sysctl --system")
    }
}

extension KernelFacts {
    static func read() -> KernelFacts {
        func number(_ path: String) -> Int? { (try? Files.read("/proc/sys/\(path)")).flatMap { Int($0.filter(\.isNumber)) } }
        let modules = Modules()
        // A device that is there may have no driver, and a container without the device shows the driver.
        let devices = (try? Files.read("/proc/misc")) ?? ""
        let hasDriver = devices.split(separator: "\n").contains { $0.split(separator: " ").last == "tun" }
        var nftables = Netlink.hasTables
        if nftables == .unknown, modules.has("nf_tables") { nftables = .there }
        return KernelFacts(
            hasWireGuard: modules.has("wireguard"), hasTun: hasDriver || canOpenTun, nftables: nftables,
            hasIPv6: Files.exists("/proc/sys/net/ipv6/conf/all/disable_ipv6"),
            bridgeCalls: number("net/bridge/bridge-nf-call-iptables"), reusesPorts: number("net/ipv4/tcp_tw_reuse"))
    }

    /// Opening it loads the driver.
    private static var canOpenTun: Bool {
        let descriptor = open("/dev/net/tun", O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return errno == EACCES || errno == EPERM || errno == EBUSY }
        close(descriptor)
        return true
    }
}

/// Modules of the running kernel: loaded, built in, or there to be loaded.
private struct Modules {
    private let listed: String

    init() {
        let release = ((try? Files.read("/proc/sys/kernel/osrelease")) ?? "").filter { !$0.isWhitespace }
        let lists = ["modules.builtin", "modules.dep"].map { "/lib/modules/\(release)/\($0)" }
        listed = lists.compactMap { try? Files.read($0, limit: 16 << 20) }.joined()
    }

    func has(_ name: String) -> Bool { Files.exists("/sys/module/\(name)") || listed.contains("/\(name).ko") }
}

/// One question to the kernel's firewall: which generation its rules have.
private enum Netlink {
    static var hasTables: KernelFacts.Presence {
        let descriptor = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 12)
        guard descriptor >= 0 else { return errno == EPROTONOSUPPORT ? .missing : .unknown }
        defer { close(descriptor) }
        // struct nlmsghdr: length, NFT_MSG_GETGEN of nf_tables, NLM_F_REQUEST, number, port; then struct nfgenmsg.
        var message: [UInt8] = []
        for word: UInt32 in [20, 10 << 8 | 16 | 1 << 16, 1, 0, 0] { withUnsafeBytes(of: word) { message += $0 } }
        guard send(descriptor, message, message.count, 0) == message.count else { return .unknown }
        var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&ready, 1, 1_000) > 0 else { return .unknown }
        var answer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &answer, answer.count, 0)
        guard count >= 20 else { return .unknown }
        let type = answer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4, as: UInt16.self) }
        guard type == 2 else { return .there }
        let code = -answer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 16, as: Int32.self) }
        return code == 0 ? .there : code == EPERM ? .unknown : .missing
    }
}
