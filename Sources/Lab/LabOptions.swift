import Glibc
import Platform

/// The words and options of the lab's command line.
struct LabOptions {
    /// The action and what it is for.
    var words: [String] = []
    let docker: String
    let folder: String
    let imageArchive: String
    let name: String
    let port: Int
    /// 18 or 19, of 198.18.0.0/15.
    let network: Int
    /// Servers in the list of which none exists.
    let rows: Int
    /// Countries beside the usual ones, with a server each.
    let countries: Int

    /// - Throws: `LabError` for a number out of range.
    init(_ arguments: [String]) throws {
        var values = [
            "--docker": getenv("DOCKER_HOST").map { String(cString: $0) } ?? "/var/run/docker.sock", "--folder": ".run/lab",
            "--image-archive": ".build/images/lab.tar", "--port": "8790", "--name": "sallyport-lab", "--network": "18",
            "--rows": "0", "--countries": "0",
        ]
        var rest = arguments[...]
        while let word = rest.popFirst() {
            if values[word] != nil, let value = rest.popFirst() { values[word] = value } else { words.append(word) }
        }
        func value(_ name: String) -> String { values["--\(name)"] ?? "" }
        guard let port = Int(value("port")), (1...65_535).contains(port) else { throw LabError(message: "--port wants 1 to 65535") }
        guard let rows = Int(value("rows")), (0...100_000).contains(rows) else { throw LabError(message: "--rows wants 0 to 100000") }
        guard let countries = Int(value("countries")), (0...LabLayout.mostCountries).contains(countries) else {
            throw LabError(message: "--countries wants 0 to \(LabLayout.mostCountries)")
        }
        (self.port, self.rows, self.countries) = (port, rows, countries)
        docker = value("docker")
        folder = Files.absolute(value("folder"))
        imageArchive = value("image-archive")
        name = value("name")
        network = value("network") == "19" ? 19 : 18
    }
}
