package import Model
import Platform

/// What the container of an exit is made of: all of it is fixed but the fields here. The engine's guard makes it by this same function,
/// and lets through no container that differs.
package struct ExitTemplate: Sendable {
    /// Whose containers these are: `docker.owner`.
    package var owner: String
    package var image: String
    package var network: String
    package var exit: ExitID
    package var generation: Int
    /// The address of the tunnel's server.
    package var server: String
    /// A hash of the whole specification, without the key: 16 hexadecimal digits.
    package var fingerprint: String
    /// The fencing number of the controller that makes it.
    package var fence: Int
    /// A fixed IPv4 address on the network; nil lets the engine choose.
    package var address: String?

    /// Whether the tunnel, and it alone, has IPv6.
    package var tunnelHasIPv6: Bool
    /// The engine's kernel is ours: its socket is a Unix one.
    package var hasIPv6: Bool

    package init(
        owner: String, image: String, network: String, exit: ExitID, generation: Int, server: String, fingerprint: String, fence: Int,
        address: String? = nil, tunnelHasIPv6: Bool = false, hasIPv6: Bool = Self.kernelHasIPv6
    ) {
        self.tunnelHasIPv6 = tunnelHasIPv6
        self.owner = owner
        self.image = image
        self.network = network
        self.exit = exit
        self.generation = generation
        self.server = server
        self.fingerprint = fingerprint
        self.fence = fence
        self.address = address
        self.hasIPv6 = hasIPv6
    }

    /// False where the kernel was started with `ipv6.disable=1`, or has none.
    package static let kernelHasIPv6 = Files.exists("/proc/sys/net/ipv6/conf/all/disable_ipv6")

    /// `sallyport-us-1-g3`
    package var name: String { Self.name(owner: owner, exit: exit, generation: generation) }

    package static func name(owner: String, exit: ExitID, generation: Int) -> String { "\(owner)-\(exit)-g\(generation)" }

    package var container: ContainerCreate {
        var container = ContainerCreate(image: image, network: network, address: address)
        container.hostname = "exit"
        container.entrypoint = ["/exit"]
        container.stopSignal = "SIGTERM"
        container.healthcheck = .init(
            test: ["CMD", "/healthcheck"], interval: 30_000_000_000, timeout: 5_000_000_000, startPeriod: 15_000_000_000, retries: 3)
        container.labels = [
            ExitLabel.owner: owner, ExitLabel.exit: exit.description, ExitLabel.generation: String(generation), ExitLabel.server: server,
            ExitLabel.specification: fingerprint, ExitLabel.fence: String(fence), ExitLabel.credential: "1",
        ]
        container.hostConfig.readonlyRootfs = true
        container.hostConfig.securityOpt = ["no-new-privileges"]
        container.hostConfig.capDrop = ["ALL"]
        container.hostConfig.capAdd = ["NET_ADMIN", "SETUID", "SETGID", "SYS_CHROOT"]
        container.hostConfig.devices = [.init("/dev/net/tun")]
        container.hostConfig.tmpfs = [
            "/run": "rw,noexec,nosuid,nodev,size=1m,mode=0755", "/proxy/etc": "rw,noexec,nosuid,nodev,size=64k,mode=0755",
        ]
        container.hostConfig.sysctls = [
            "net.ipv4.conf.all.src_valid_mark": "1",
            // Who asks for the same target all the time would wait for one of the exit's ports a minute otherwise.
            "net.ipv4.tcp_tw_reuse": "1",
        ]
        // A kernel without IPv6 has no such setting, and the container would not start; the exit's firewall drops IPv6 besides.
        if tunnelHasIPv6 {
            // Of interfaces that are made later, which is the tunnel's. The engine has turned IPv6 off on the one that it made, and the
            // exit's program goes no further where it has not.
            container.hostConfig.sysctls["net.ipv6.conf.default.disable_ipv6"] = "0"
            container.labels[ExitLabel.ipv6] = "1"
        } else if hasIPv6 {
            container.hostConfig.sysctls["net.ipv6.conf.all.disable_ipv6"] = "1"
        }
        container.hostConfig.mounts = [.init(type: "volume", target: ExitFile.folder)]
        container.hostConfig.memory = 256 << 20
        container.hostConfig.memorySwap = 256 << 20
        container.hostConfig.pidsLimit = 2_304
        return container
    }
}

/// The labels of an exit's container.
package enum ExitLabel {
    package static let owner = "io.sallyport.owner"
    package static let exit = "io.sallyport.exit"
    package static let generation = "io.sallyport.generation"
    package static let fence = "io.sallyport.fence"
    package static let server = "io.sallyport.server"
    package static let specification = "io.sallyport.specification"
    /// On those whose proxies ask for a credential: all but an earlier version's.
    package static let credential = "io.sallyport.credential"
    /// On those whose tunnel carries IPv6.
    package static let ipv6 = "io.sallyport.ipv6"
    /// On networks of ours whose subnet was given, so that exits get addresses of our choice. Those of earlier versions don't have it.
    package static let addresses = "io.sallyport.addresses"
}

/// The one file that is uploaded into the container of an exit before its start.
package enum ExitFile {
    package static let folder = "/config"
    package static let name = "exit.conf"
    package static let mode = 0o600

    package static func archive(_ content: [UInt8]) -> [UInt8] {
        TarArchive.bytes(of: [TarFile(name: name, mode: mode, content: content)])
    }
}

/// How the archive of the exits' root file system becomes an image.
package enum ExitImage {
    package static let changes = ["ENTRYPOINT [\"/exit\"]"]
}

/// The programs that the controller runs in the container of an exit: all of them, for the engine's guard lets through no other.
package enum ExitCommand: CaseIterable, Sendable {
    /// The last handshake and the counters of the tunnel (not `dump`, which shows the private key); and, of an exit that counts them,
    /// what its firewall counted beside the tunnel.
    case tunnel

    package var words: [String] {
        switch self {
        case .tunnel:
            [
                "busybox", "sh", "-c",
                "wg show wg0 latest-handshakes && wg show wg0 transfer && "
                    + "if [ -e /run/counts-leaks ]; then nft list table inet sallyport_leaks 2>&1; true; fi",
            ]
        }
    }
}
