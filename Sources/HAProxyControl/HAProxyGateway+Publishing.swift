package import Model
import Planning
import Platform

/// From a layout to an HAProxy that runs it.
extension HAProxyGateway {
    /// What was published last.
    struct Published {
        let layout: GatewayLayout
        /// The text of each file that was written, by its path.
        let files: [String: String]
    }

    /// One layout on its way into HAProxy.
    private struct Publication {
        let layout: GatewayLayout
        let revision: String
        /// The text of the configuration file.
        let text: String
        let secrets: GatewayMap

        var maps: [GatewayMap] { [secrets] + layout.maps }
    }

    /// Makes HAProxy equal to the layout: by the runtime API where that can, by a reload where the structure differs, by a
    /// start where it does not run. Returns when it has been read back.
    package func publish(_ layout: GatewayLayout) async throws { try await mutex.withLock { try await make(layout) } }

    func make(_ wanted: GatewayLayout, isRepair: Bool = true) async throws {
        var layout = wanted
        // Networks come and go with the exits' bridges and the machine's own links: what counts is what there is now.
        layout.refused = refusedNetworks
        await sweep()
        if seenCertificates.isEmpty || !missingCertificates.isEmpty { await takeCertificates() }
        if isRepair, layout == lastLayout { noteRepair() }
        let standing = try await standing()
        let isLoaded = try await prepare(layout, standing)
        let publication = publication(of: layout)
        if isLoaded { try await adjust(to: publication) } else { try await load(publication, as: standing) }
        try await adjustSlots(layout)
        await cutStale(layout)
        let files = publication.maps.map { ("\(folder)/\($0.name)", $0.text) } + [(file, publication.text)]
        published = Published(layout: layout, files: Dictionary(files, uniquingKeysWith: { $1 }))
        try await confirm(publication, mayReload: isLoaded)
    }

    private func noteRepair() {
        repairs += 1
        Metrics.gatewayRepairs.add(1)
        log.warning("the gateway differed from its configuration", ["repairs": "\(repairs)"])
    }

    /// Ends what hangs, and leaves out ports that somebody else has.
    /// - Returns: whether HAProxy runs this structure already.
    private func prepare(_ layout: GatewayLayout, _ standing: Standing) async throws -> Bool {
        if standing == .answers(revision: revision(of: layout)) { return true }
        if standing == .hangs { try await endHanging() }
        try await leaveOutHeldPorts(layout, isServing: standing.isServing)
        // The structure has only the ports that are left.
        return standing == .answers(revision: revision(of: layout))
    }

    private func publication(of layout: GatewayLayout) -> Publication {
        let revision = revision(of: layout)
        return Publication(
            layout: layout, revision: revision, text: configuration.text(of: layout, revision: revision), secrets: secretsMap(of: layout))
    }

    /// Tells a running HAProxy what is new.
    private func adjust(to new: Publication) async throws {
        // What takes connections comes in before the maps lead to it, and goes out after they don't any more.
        try await adjustSlots(new.layout, only: .ready)
        for map in new.maps { try await adjust(map) }
        try write(new.maps)
        try warrant()
        try sharing.write(new.text, to: file)
    }

    private func load(_ new: Publication, as standing: Standing) async throws {
        try sharing.makeFolder(folder)
        try write(new.maps)
        try await check(new.text)
        // The last good file comes back when the new one is refused after all.
        let lastGood = try? Files.read(file, limit: 16 << 20)
        try warrant()
        try sharing.write(new.text, to: file)
        do { try await load(new.revision, as: standing) } catch {
            if let lastGood { try? sharing.write(lastGood, to: file) }
            throw error
        }
        hasRemains = true
    }

    /// Reads back what runs.
    /// - Parameter mayReload: whether a reload is tried where it differs.
    private func confirm(_ new: Publication, mayReload: Bool) async throws {
        guard try await differs(new) else { return }
        if mayReload {
            // A frontend that was shut, a server more, a limit: what can't be told, a reload mends.
            try await load(new.revision, as: .answers(revision: nil), isUrgent: true)
            try await adjustSlots(new.layout)
        }
        guard try await differs(new) else { return }
        throw HAProxyError(code: .disagrees, action: "publishing to HAProxy", message: "its running state differs from its configuration")
    }

    /// An address of this machine that has come or gone meanwhile is the next look's.
    private func differs(_ new: Publication) async throws -> Bool {
        new.layout.differs(from: try await observe(refused: new.layout.refused ?? [], secrets: new.secrets))
    }
}
