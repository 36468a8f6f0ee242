import RedisStore

/// The engine, as far as it answers.
struct EngineFacts: Sendable, Equatable {
    /// "Docker/20.10.24+dfsg1 (linux)", where it says so.
    var software: String?
    /// The version of its API that both sides speak.
    var version: String?
    var socket: String
    /// Why there is no answer, and what to do.
    var trouble: String?
    var remedy: String?

    /// The exits' image, and whether the engine has it or can get it.
    var image = ""
    var hasImage = false
    var archive: String?
    var hasArchive = false

    var judgement: Judgement {
        if let trouble { return .fault(trouble, remedy ?? "see that an engine of API 1.40 or newer answers on \(socket)") }
        return .pass("\(software ?? "an engine") answers on \(socket), API \(version ?? "?")")
    }

    var imageJudgement: Judgement {
        if hasImage { return .pass("the engine has \(image)") }
        if hasArchive { return .pass("\(image) will be imported from \(archive ?? "")") }
        let missing = archive.map { "\($0) is not there" } ?? "docker.image_archive names no archive"
        return trouble == nil
            ? .warning("the engine has no \(image), and \(missing): it will be pulled", "build it with `make images`, or set docker.image")
            : .warning("\(missing), and what images the engine has can't be asked", "start the engine, and ask again")
    }
}

/// A Redis, as far as it answers.
struct RedisFacts: Sendable, Equatable {
    var address: String
    /// The controller starts it, and with which version of redis-server; nil where there is no such program.
    var isPrivate = false
    var program: String?
    /// Why there is no answer.
    var trouble: String?
    var version: String?
    /// The policy by which it throws keys away; nil for none.
    var evicts: String?
    /// What the store says of its format, where that is not ours.
    var foreignFormat: String?

    var judgement: Judgement {
        if let foreignFormat { return .fault(foreignFormat, StoreFormat.remedy) }
        if let evicts {
            return .fault(
                "\(address) throws keys away when its memory is full (maxmemory-policy \(evicts)): users are lost", Store.evictionRemedy)
        }
        if isPrivate, program == nil {
            return .fault("there is no redis-server", "apt install redis-server, or set redis.url to a Redis that runs")
        }
        if let trouble {
            return isPrivate
                ? .pass("redis-server \(program ?? "") is there; the controller starts it")
                : .fault("no Redis answers: \(trouble)", "start it, or set redis.url to the one that runs")
        }
        let major = version.flatMap { Int($0.prefix { $0 != "." }) }
        if let major, major < 6 {
            return .warning("\(address) is Redis \(version ?? ""), which nobody has tried", "use Redis 6 or newer")
        }
        return .pass("Redis \(version ?? "") answers on \(address), and throws nothing away")
    }
}

/// A program that the controller starts.
struct ProgramFacts: Sendable, Equatable {
    /// What `haproxy -vv` says; nil where it can't be run.
    var haproxy: String?
    /// HAProxy is started by somebody else, and whether that one answers.
    var isElsewhere = false
    var answers = false
    /// Why fping says nothing; nil where it does.
    var fpingTrouble: String?

    static let oldestHAProxy = (2, 6)

    var gateway: Judgement {
        if isElsewhere {
            return answers
                ? .pass("an HAProxy of its own answers in gateway.directory")
                : .warning("no HAProxy answers in gateway.directory, and gateway.start is false", "start the service that runs it")
        }
        guard let haproxy else { return .fault("there is no haproxy that can be run", "apt install haproxy") }
        let version = haproxy.split(separator: " ").dropFirst(2).first.map(String.init) ?? "?"
        let numbers = version.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        guard numbers.count == 2, (numbers[0], numbers[1]) >= Self.oldestHAProxy else {
            return .fault("HAProxy is \(version), and 2.6 is the oldest that can be used", "apt install haproxy on Debian 12 or newer")
        }
        guard haproxy.contains("+LUA") || haproxy.contains("USE_LUA=1") else {
            return .fault("HAProxy \(version) was built without Lua", "apt install haproxy, which has it")
        }
        return .pass("HAProxy \(version)")
    }

    var echo: Judgement {
        guard let fpingTrouble else { return .pass("fping measures latencies") }
        return .warning(
            "fping can't be used (\(fpingTrouble)): latencies are measured by TCP connections, which some servers refuse",
            "apt install fping")
    }
}

/// Open files that this process may have, and what they are for.
struct DescriptorFacts: Sendable, Equatable {
    /// The hard limit.
    var limit: Int
    /// `gateway.client_limit`, where the controller starts HAProxy.
    var clients: Int?
    /// `api.connections`
    var connections: Int

    private static let few = 1000

    var judgement: Judgement {
        let remedy = "raise the hard limit of open files (LimitNOFILE= of the service, `ulimit -Hn`, /etc/security/limits.conf)"
        if let clients, Configuration.descriptors(ofClients: clients) > limit {
            return .fault(
                "\(clients) clients of the gateway need \(Configuration.descriptors(ofClients: clients)) open files, and the limit is \(limit)",
                "\(remedy), or set gateway.client_limit to \(Configuration.clients(ofDescriptors: limit)) at most")
        }
        let fitting = DescriptorLimit.connections(connections, of: limit)
        if fitting < connections {
            return .warning(
                "the API will accept \(fitting) open connections, not \(connections): the limit of open files is \(limit)", remedy)
        }
        if let clients, clients < Self.few {
            return .warning("the gateway has room for only \(clients) clients: the limit of open files is \(limit)", remedy)
        }
        return .pass("\(limit) open files: \(clients.map { "\($0) clients of the gateway, " } ?? "")\(connections) connections of the API")
    }
}
