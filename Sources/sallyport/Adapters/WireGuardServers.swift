import Catalog
import Control
import Model
import Planning
import Platform
import Synchronization
import WireGuardFiles

/// The provider `wireguard`: a folder of WireGuard files, each an account of one server with its own key.
///
/// The folder is read at each question for the list. The keys stay in memory, as those of other providers do; a server in the catalog has
/// only a name for its key.
final class WireGuardServers: ServerSource, Sendable {
    private struct State {
        /// As they were read last with at least one that can be used.
        var files = ServerFiles()
        /// What was found wrong at the last reading, a sentence each.
        var problems: [String] = []
        /// By host name; they stay when a file goes, for an exit may still run on it.
        var resolvers: [String: [String]] = [:]
        /// By name, for what had no address that can be used, why; and the addresses of the others.
        var badNames: [String: String] = [:]
        var addresses: [String: String] = [:]
    }

    let provider = ProviderName.wireguard
    let isLocal = true
    private let settings: Configuration.WireGuardSettings
    private let log: Log
    private let state = Mutex(State())
    private let exits = Mutex<@Sendable () -> [Exit]>({ [] })

    init(_ settings: Configuration.WireGuardSettings, log: Log) {
        self.settings = settings
        self.log = log
    }

    /// Where exits are to be seen.
    func follow(_ view: @escaping @Sendable () -> [Exit]) { exits.withLock { $0 = view } }

    // MARK: - The list

    func list(newerThan stamp: ListStamp?) async throws -> ListAnswer {
        let (folder, standard) = (settings.folder, settings.facts)
        let (texts, unread, places) = try await Blocking.run {
            try Self.read(folder)
        }
        let tag = Digest.sha256("\(texts.sorted { $0.key < $1.key }) \(unread) \(places)")
        if let stamp, stamp.entityTag == tag { return .unchanged }
        let files = ServerFiles(texts, places: places, standard: standard)
        take(files, problems: places.problems.map { "\(NamedPlaces.file): \($0)" } + unread + Self.sentences(of: files))
        let unusable = files.files.count { !$0.isUsable } + unread.count
        return .list(servers: files.servers, dropped: unusable > 0 ? ["unusable": unusable] : [:], stamp: ListStamp(entityTag: tag))
    }

    /// The texts of the files by name, the words for those that can't be read, and the list beside them.
    private static func read(_ folder: String) throws -> ([String: String], [String], NamedPlaces) {
        var (texts, unread): ([String: String], [String]) = ([:], [])
        let names: [String]
        do { names = try WireGuardFolder.names(in: folder) } catch let error as WireGuardFolderError {
            throw FolderFailure(description: error.message)
        } catch {
            let why = Files.exists(folder) ? "it is no folder, or may not be entered" : "it is not there"
            throw FolderFailure(description: "\(folder) can't be read: \(why)")
        }
        for name in names {
            do { texts[name] = try WireGuardFolder.text(of: name, in: folder) } catch { unread.append("\(error)") }
        }
        return (texts, unread, WireGuardFolder.places(in: folder))
    }

    private struct FolderFailure: SourceFailure, CustomStringConvertible {
        let description: String
        let isRefusal = false
        let retryAfter: Double? = nil
    }

    private static func sentences(of files: ServerFiles) -> [String] {
        files.files.compactMap { file in
            guard let problem = file.problems.first else { return nil }
            return problem.line == 0 ? "\(file.name) \(problem.words)" : "\(file.name), line \(problem.line): \(problem.words)"
        }
    }

    /// Takes what was read. A folder without any server may be one that is being filled: what was there before stays.
    private func take(_ files: ServerFiles, problems: [String]) {
        let (old, oldProblems) = state.withLock { state in
            let old = (state.files, state.problems)
            state.problems = problems
            if !files.servers.isEmpty || state.files.files.isEmpty { state.files = files }
            for file in files.files { if let tunnel = file.tunnel { state.resolvers[file.hostname] = tunnel.facts.dns } }
            return old
        }
        for problem in problems where !oldProblems.contains(problem) {
            log.warning("a WireGuard file can't be used", ["folder": settings.folder, "problem": problem])
        }
        for sentence in files.sentencesOfKeys where !old.sentencesOfKeys.contains(sentence) {
            log.info("\(sentence): exits of it at once are \(settings.devices) at most (providers.wireguard.devices)")
        }
    }

    // MARK: - Tunnels

    func resolvers(of server: Server) -> [String] { state.withLock { $0.resolvers[server.hostname] } ?? settings.facts.dns }

    /// - Throws: `ExitFailure` where the file is no longer what the server was chosen by.
    func access(to server: Server) throws -> TunnelAccess {
        let file = state.withLock { state in state.files.files.first { $0.hostname == server.hostname && $0.isUsable } }
        guard let file, let tunnel = file.tunnel else {
            throw ExitFailure(
                reason: .credentialsMissing, detail: "\(server.hostname) is no longer in \(settings.folder), or can't be used any more",
                isServersFault: true)
        }
        guard Self.isSame(file.server, server) else {
            throw ExitFailure(
                reason: .credentialsMissing, detail: "\(file.name) was changed since the server was chosen", isServersFault: true)
        }
        return TunnelAccess(facts: tunnel.facts, privateKey: tunnel.privateKey)
    }

    /// Its address may be that of a name.
    private static func isSame(_ file: Server?, _ chosen: Server) -> Bool {
        guard let file else { return false }
        return file.account == chosen.account && file.publicKey == chosen.publicKey && file.port == chosen.port
            && (file.needsResolving || file.address == chosen.address)
    }

    // MARK: - Names

    private static let privateNetworks = SpecialNetworks.targets.compactMap { IPv4Network($0) }

    /// Leaves out addresses to which a name in a file may not lead, and remembers why.
    func checked(_ found: [String: String], of names: [String]) -> [String: String] {
        state.withLock { state in
            let ofFiles = Set(state.files.servers.lazy.filter(\.needsResolving).map(\.address))
            var found = found
            for name in names where ofFiles.contains(name) {
                (state.badNames[name], state.addresses[name]) = (nil, nil)
                guard let address = found[name] else {
                    state.badNames[name] = "has no address"
                    continue
                }
                if IPv4Address(address).map({ address in Self.privateNetworks.contains { $0.contains(address) } }) ?? true {
                    state.badNames[name] =
                        "leads to \(address), which is no address of the internet: give the address itself if it is meant"
                    found[name] = nil
                } else {
                    state.addresses[name] = address
                }
            }
            return found
        }
    }

    // MARK: - Alerts

    /// What an operator should see to; at most one alert.
    func alerts(_ now: Timestamp = SystemClock.now()) -> [Alert] {
        let exits = exits.withLock { $0 }().filter { $0.state != .stopped && $0.server?.provider == provider }
        let state = state.withLock { $0 }
        let sentences = state.problems + Self.sentencesOfNames(state, exits) + Self.sentencesOfExits(state, exits)
        guard !sentences.isEmpty else { return [] }
        let words = sentences.prefix(5).joined(separator: "; ") + (sentences.count > 5 ? "; and \(sentences.count - 5) more" : "")
        return [
            Alert(
                .files(provider), .warning, "of the WireGuard files in \(settings.folder): \(words)",
                remedy: "sallyport wireguard check \(settings.folder) says what is understood, line by line", since: now)
        ]
    }

    private static func sentencesOfNames(_ state: State, _ exits: [Exit]) -> [String] {
        state.files.servers.filter(\.needsResolving).compactMap { server in
            if let words = state.badNames[server.address] { return "\(server.hostname): \(server.address) \(words)" }
            guard let address = state.addresses[server.address],
                let holder = exits.first(where: { $0.server?.address == address && $0.server?.hostname != server.hostname })
            else { return nil }
            return "\(server.hostname): \(server.address) leads to the server of \(holder.id), and is not used meanwhile"
        }
    }

    private static func sentencesOfExits(_ state: State, _ exits: [Exit]) -> [String] {
        let files = Dictionary(state.files.servers.map { ($0.hostname, $0) }) { first, _ in first }
        return exits.filter(\.keepsContainer).sorted { $0.id < $1.id }.compactMap { exit in
            guard let server = exit.server else { return nil }
            if isSame(files[server.hostname], server) { return nil }
            let what = files[server.hostname] == nil ? "has gone" : "was changed"
            return "\(server.hostname) \(what) while \(exit.id) runs on it: the exit goes on with what it had, until it fails or is rotated"
        }
    }
}
