import Platform
import TestSupport
import Testing

@testable import sallyport

/// What `containers/kubernetes` gives the controller is a configuration that it takes.
struct KubernetesConfigurationTests {
    private static let place = "\(Repository.root)/containers/kubernetes"

    /// The variables of `controllers.yaml`, with folders that are here.
    private func variables(_ folder: TemporaryFolder) throws -> [String: String] {
        var variables: [String: String] = [:]
        for line in try Files.read("\(Self.place)/base/controllers.yaml").split(separator: "\n") {
            let words = line.split(whereSeparator: { " {},\"".contains($0) }).map(String.init)
            guard words.count == 5, words[1] == "name:", words[2].hasPrefix("SALLYPORT_") else { continue }
            variables[words[2]] = moved(words[4], to: folder)
        }
        variables["SALLYPORT_REDIS_URL"] = "redis://:a-password@redis.redis.svc.cluster.local:6379"
        return variables
    }

    private func moved(_ text: String, to folder: TemporaryFolder) -> String {
        text.split(separator: "/etc/sallyport/secrets", omittingEmptySubsequences: false).joined(separator: folder.path)
            .split(separator: "/usr/share/sallyport", omittingEmptySubsequences: false).joined(separator: Repository.root)
    }

    @Test(arguments: ["base", "overlays/production"]) func `the controller takes what a pod gives it`(of part: String) throws {
        let folder = try TemporaryFolder()
        try Files.write("a-token\n", to: "\(folder.path)/token", mode: 0o600)
        try Files.write(
            moved(Files.read("\(Self.place)/\(part)/sallyport.yaml"), to: folder), to: "\(folder.path)/sallyport.yaml", mode: 0o600)
        let variables = try variables(folder)
        #expect(variables.count == 12)
        let configuration = try Configuration.load(file: "\(folder.path)/sallyport.yaml", environment: variables)
        #expect(configuration.api.address == "0.0.0.0" && configuration.gateway.port == 8128 && configuration.redis != nil)
        #expect(configuration.docker.host == "unix:///run/engine/docker.sock" && configuration.providers.count == 1)
    }
}
