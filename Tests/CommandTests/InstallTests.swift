import Platform
import TestSupport
import Testing

/// `containers/install`, with stand-ins for the programs that it finds and asks.
struct InstallTests {
    /// What the script asks of apt on a machine that has these programs and none of the packages.
    private func asked(of machine: [String], _ packages: String...) async throws -> String {
        let folder = try TemporaryFolder()
        for program in ["swift", "curl", "dpkg-query"] + machine { try stand(folder, program, "exit 1") }
        try stand(folder, "apt-get", "echo \"$@\" >>\(folder.path)/asked")
        for tool in ["bash", "id", "mktemp", "rm", "sleep", "tail"] {
            _ = try await Programs.run("bash", ["-c", "ln -s \"$(command -v \(tool))\" \(folder.path)/\(tool)"])
        }
        let result = try await Programs.run(
            "env", ["-u", "DOCKER_HOST", "PATH=\(folder.path)", "bash", "\(Repository.root)/containers/install"] + packages)
        try #require(result.status == 0, "\(result.output)")
        return (try? Files.read("\(folder.path)/asked")) ?? ""
    }

    private func stand(_ folder: TemporaryFolder, _ program: String, _ line: String) throws {
        try Files.write("#!/bin/bash\n\(line)\n", to: "\(folder.path)/\(program)", mode: 0o755)
    }

    @Test func `an engine of the machine's own is not replaced by Debian's`() async throws {
        let line = try await asked(of: ["dockerd", "docker"], "haproxy", "docker.io")
        #expect(line.contains(" haproxy") && !line.contains("docker.io"))
    }

    @Test func `a machine without an engine gets Debian's`() async throws {
        #expect(try await asked(of: [], "haproxy").contains(" docker.io"))
        #expect(try await asked(of: ["docker"], "haproxy", "docker.io").contains(" docker.io"))
    }

    @Test func `nothing that is installed is ever removed`() async throws {
        let lines = try await asked(of: [], "haproxy").split(separator: "\n").filter { $0.contains("install") }
        #expect(!lines.isEmpty && lines.allSatisfy { $0.contains("--no-remove") })
    }
}
