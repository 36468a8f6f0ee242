import Model

extension Command {
    static let speedtest = Command(
        name: "speedtest", usage: "<exit>", summary: "Measure a download through an exit",
        options: ControllerClient.options + [
            Option(name: "megabytes", value: "N", help: "megabytes to download at most, 1 to 100 (10)"),
            Option(name: "seconds", value: "N", help: "the longest duration, 1 to 30 (10)"),
        ],
        examples: ["sallyport speedtest us-1", "sallyport speedtest de-2 --megabytes 100 --json"]
    ) { arguments in
        let word = try arguments.expect("<exit>")[0]
        guard let id = ExitID(word) else { throw UsageError(message: "'\(word)' is not an exit's name, expected one like us-1") }
        let megabytes = try arguments.integer("megabytes", in: SpeedTest.megabytes) ?? 10
        let seconds = try arguments.integer("seconds", in: 1...30) ?? 10
        return try await ControllerClient.with(arguments) { api in
            let path = "/api/exits/\(id)/speedtest"
            let watch = Task {
                var progress = Progress()
                defer { progress.end() }
                while !Task.isCancelled {
                    if let now = try? await api.get(path), now["running"] == .bool(true) {
                        progress.show("\(id): \(Figures.decimal((now["bytes"]?.number ?? 0) / 1e6, digits: 1)) of \(megabytes) MB")
                    }
                    try? await Task.sleep(for: .milliseconds(200))
                }
            }
            let body = Document.object(["megabytes": .integer(megabytes), "seconds": .integer(seconds)])
            let answer: Result<Document, any Error>
            do { answer = .success(try await api.call("POST", path, body: body, deadline: Double(seconds) + 20)) } catch {
                answer = .failure(error)
            }
            watch.cancel()
            await watch.value
            let test = try answer.get()
            print(arguments.has("json") ? test.json : words(test))
            return Status.success
        }
    }

    private static func words(_ test: Document) -> String {
        func figure(_ name: String, digits: Int) -> String { test[name]?.number.map { Figures.decimal($0, digits: digits) } ?? "-" }
        return """
            \(test["exit"]?.text ?? ""): \(figure("mbit_s", digits: 1)) Mbit/s, first byte after \(figure("first_byte_ms", digits: 0)) ms
            \(Figures.decimal((test["bytes"]?.number ?? 0) / 1e6, digits: 1)) MB in \(figure("seconds", digits: 2)) s
            """
    }
}
