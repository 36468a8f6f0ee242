import DockerEngine
import HTTPTransport
import Model
import Platform
import TestSupport
import Testing

extension OnTheLab {
    /// What a controller finds when it starts: exits of the last one, whole or half made, and containers of nobody.
    @Suite(.serialized) struct AdoptionTests {
        @Test(.timeLimit(.minutes(1))) func `the controller crashes and comes back under load without one failed request`() async throws {
            try await ControllerProcess.with { controller in
                let exit = try await controller.open("us")
                // Its network came after the first start: by now its bridge is among what nobody may reach.
                let workers = controller.haproxyWorkers
                #expect(workers.count == 1, "nothing was reloaded: \(workers)")
                let load = Load(controller, country: "us")
                // A download that goes on through the crash: 20 MB at 4 MB a second.
                let download = Task {
                    try await Programs.run(
                        "curl",
                        [
                            "-s", "-o", "/dev/null", "-w", "%{size_download}", "--limit-rate", "4M", "-r", "0-19999999", "-x",
                            "http://alice-country-us:\(ControllerProcess.password)@\(controller.gateway)", "http://www.lab.test/big",
                        ])
                }
                try await controller.crash()
                try await controller.start()
                try await eventually("it has looked again") { try await controller.exits().first?.state == "serving" }
                try await controller.stop()
                try await controller.start()
                try await eventually("it has looked again") { try await controller.exits().first?.state == "serving" }
                #expect(try await download.value.output == "20000000")
                let count = await load.stop(after: 11)
                #expect(count.failures == [])
                #expect(count.succeeded > 10, "there was load all the time")
                #expect(controller.haproxyWorkers == workers, "a restart with nothing changed reloads nothing")
                #expect(try await controller.exits().first?.generation == exit.generation, "the same container serves on")
            }
        }

        /// Steps as the API shows them, nil for the request alone, and milliseconds after that: the choice of a server takes longer
        /// than all the rest, so moments counted from the request would all be before the container.
        @Test(
            .timeLimit(.minutes(3)),
            arguments: [
                (nil, 2), (nil, 160), (.pending, 0), (.starting, 0), (.starting, 40), (.starting, 120), (.starting, 250), (.verifying, 0),
                (.verifying, 60), (.serving, 0),
            ] as [(ExitState?, Int)])
        func `killed at any step of starting an exit, after a restart exactly the wanted exits exist`(
            step: ExitState?, milliseconds: Int
        ) async throws {
            try await ControllerProcess.with { controller in
                let asked = Task { try await controller.call("POST", "/api/exits", #"{"country":"gb"}"#, deadline: 20) }
                if let step {
                    let later = ExitState.allCases.drop { $0 != step }.map(\.rawValue)
                    // As often as the API's limit of requests lets.
                    _ = try await eventually("it is at that step", within: 20, every: 4) { () -> Bool? in
                        try await controller.exits().first.map { later.contains($0.state) } ?? false ? true : nil
                    }
                    #expect(try await asked.value.status == 202)
                }
                try await Task.sleep(for: .milliseconds(milliseconds))
                try await controller.crash()
                let wasTaken = (try? await asked.value)?.status == 202
                try await controller.start()
                let wanted = try await controller.call("GET", "/api/pools").text.contains("\"GB\"") ? 1 : 0
                #expect(!wasTaken || wanted == 1, "what was acknowledged is not lost")
                try await eventually("as many serve as are wanted", within: 20) {
                    let exits = try await controller.exits()
                    return exits.count == wanted && exits.allSatisfy { $0.state == "serving" }
                }
                try await eventually("and as many containers run") { try await controller.containers().count == wanted }
                guard wanted == 1 else { return }
                let answer = try await controller.proxied("gb")
                #expect(answer.status == 200, "\(answer.headers) \(answer.text)")
            }
        }

        @Test(.timeLimit(.minutes(1))) func `orphans with our label go; containers of others are never touched`() async throws {
            try await ControllerProcess.with { controller in
                _ = try await controller.open("us")
                let image = ExitContainers.imageName("sallyport-exit", of: "\(projectFolder)/.build/images/exit.tar")
                func make(_ name: String, labels: [String: String]) async throws {
                    var specification = ContainerCreate(image: image, network: controller.owner)
                    specification.entrypoint = ["busybox", "sleep", "60"]
                    specification.labels = labels
                    // No exit, but on the exits' network: it is to be as quiet as they are.
                    specification.hostConfig.sysctls = ["net.ipv6.conf.all.disable_ipv6": "1"]
                    try await controller.lab.engine.createContainer(name: name, specification)
                    try await controller.lab.engine.startContainer(name)
                }
                let orphan = "\(controller.owner)-orphan"
                let foreign = "\(controller.owner)-foreign"
                let unlabelled = "\(controller.owner)-plain"
                try await make(foreign, labels: ["io.sallyport.owner": "\(controller.owner)-other", "io.sallyport.exit": "us-1"])
                try await make(unlabelled, labels: [:])
                try await make(
                    orphan, labels: ["io.sallyport.owner": controller.owner, "io.sallyport.exit": "us-7", "io.sallyport.generation": "1"])
                try await eventually("the orphan goes") { (try? await controller.lab.engine.inspectContainer(orphan)) == nil }
                try await controller.stop()
                try await controller.start()
                try await eventually("it has looked again") { try await controller.exits().first?.state == "serving" }
                for name in [foreign, unlabelled] {
                    #expect(try await controller.lab.engine.inspectContainer(name).state.running)
                    try await controller.lab.engine.removeContainer(name)
                }
            }
        }
    }
}
