import Platform
import TestSupport
import Testing

/// `containers/install` with the real apt, on a machine that consists of its files alone: Docker's own packages are installed, and
/// Debian's, which conflict with them, are offered.
struct InstallWithAptTests {
    private struct Machine {
        let folder: TemporaryFolder
        /// Words that make apt see this machine and no other.
        let options: [String]

        private static func stanza(_ name: String, _ fields: String) -> String {
            "Package: \(name)\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x.example>\nDescription: x\n\(fields)\n\n"
        }

        init() async throws {
            folder = try TemporaryFolder()
            let path = folder.path
            for name in [
                "etc/apt/apt.conf.d", "var/lib/dpkg", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "repo", "bin",
            ] {
                _ = try await Programs.run("mkdir", ["-p", "\(path)/\(name)"])
            }
            let place = "Filename: ./x.deb\nSize: 1\nSHA256: \(String(repeating: "0", count: 64))"
            let offered = Self.stanza("docker.io", "Depends: runc\n\(place)") + Self.stanza("runc", place)
            let isThere = "Status: install ok installed"
            let installed =
                Self.stanza("containerd.io", "Conflicts: runc\n\(isThere)")
                + Self.stanza("docker-ce", "Depends: containerd.io\nConflicts: docker.io\n\(isThere)")
            try Files.write(offered, to: "\(path)/repo/Packages", mode: 0o644)
            try Files.write(installed, to: "\(path)/var/lib/dpkg/status", mode: 0o644)
            try Files.write("deb [trusted=yes] file:\(path)/repo ./\n", to: "\(path)/etc/apt/sources.list", mode: 0o644)
            options = [
                "-o", "Dir=\(path)", "-o", "Dir::State::status=\(path)/var/lib/dpkg/status", "-o", "Dir::Etc::sourceparts=-", "-o",
                "APT::Sandbox::User=",
            ]
            let lists = try await apt("update")
            try #require(lists.status == 0, "\(lists.output)")
        }

        func apt(_ words: String...) async throws -> Programs.Result {
            try await Programs.run("env", ["LC_ALL=C", "/usr/bin/apt-get"] + options + words)
        }

        /// What the script does there, with an apt that says what it would do.
        func install(_ packages: String...) async throws -> Programs.Result {
            let apt = "exec /usr/bin/apt-get \(options.joined(separator: " "))"
            let stands = [
                "apt-get": "[ $1 = update ] || set -- --simulate \"$@\"\n\(apt) \"$@\"", "swift": "", "curl": "exit 1",
                "dpkg-query": "exit 1", "id": "echo 0",
            ]
            for (name, line) in stands { try Files.write("#!/bin/bash\n\(line)\n", to: "\(folder.path)/bin/\(name)", mode: 0o755) }
            for tool in ["bash", "mktemp", "rm", "sleep", "tail"] {
                _ = try await Programs.run("bash", ["-c", "ln -sf \"$(command -v \(tool))\" \(folder.path)/bin/\(tool)"])
            }
            let script = ["bash", "\(Repository.root)/containers/install"]
            return try await Programs.run("env", ["-u", "DOCKER_HOST", "LC_ALL=C", "PATH=\(folder.path)/bin"] + script + packages)
        }
    }

    @Test func `packages that Docker's own conflict with are not installed over them`() async throws {
        let machine = try await Machine()
        // Left to itself, apt would take the engine away.
        let alone = try await machine.apt("--simulate", "install", "docker.io")
        #expect(alone.output.contains("Remv docker-ce"))
        let result = try await machine.install("docker.io")
        #expect(result.status == 1 && result.output.contains("remove is disabled") && !result.output.contains("Remv"), "\(result.output)")
    }
}
