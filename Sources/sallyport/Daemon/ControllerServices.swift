import API
import AuditLog
import Control
import HAProxyControl
import HTTPServing
import Model
import Planning
import Platform
import RedisStore
import RequestPipeline
import Webhooks

/// What runs in the controller's process.
struct ControllerServices: Sendable {
    let parts: Parts
    let api: APIParts
    /// SIGHUP, each time that it comes.
    let reloads: AsyncStream<Int32>
    /// Nil where nobody wants to be told how the controller is.
    let manager: ServiceManager?
    /// Where a newcomer's first exit is opened; nil for none.
    let firstCountry: CountryCode?

    private var configuration: Configuration { parts.configuration }
    private var log: Log { parts.log }

    /// In the order in which they start; they stop in reverse.
    /// - Requests end before what carries them out, and the connections close when nobody uses them any more.
    var inOrder: [Service] {
        [connections, ports, privateRedis, redis, controller] + keepers + [webhooks, apiTasks, server] + echo + [reload] + helpers + managed
    }

    // MARK: - What others need

    private var connections: Service {
        Service("connections") { lifecycle in
            lifecycle.started()
            await lifecycle.stopRequested()
            await parts.close()
        }
    }

    /// Names a port that somebody else has before anything is started.
    private var ports: Service {
        Service("ports", isFinite: true) { lifecycle in
            try await PortCheck(configuration, gateway: parts.gateway).run()
            lifecycle.started()
        }
    }

    private var privateRedis: Service {
        let redis = parts.storage.privateRedis.map { RedisSupervisor(redis: $0, controller: parts.controller, log: log) }
        return Service("private Redis", isFinite: redis == nil) { lifecycle in
            try await redis?.start()
            lifecycle.started()
            if let redis { await lifecycle.whileServing { await redis.run() } }
        }
    }

    /// A Redis that loses what it is given, or that holds what this version can't read, is not begun with. One that does not answer yet is
    /// waited for by whoever needs it.
    private var redis: Service {
        Service("store", isFinite: true) { lifecycle in
            let connection = RedisConnection(address: configuration.redisAddress)
            let store = Store(connection: connection, prefix: configuration.redisPrefix)
            let facts = try? await RedisFacts(address: "\(configuration.redisAddress)").asked(of: store)
            await connection.close()
            try facts?.judgement.refuseFault()
            lifecycle.started()
        }
    }

    private var controller: Service {
        Service("controller") { lifecycle in
            await parts.controller.claimLease()
            if parts.storage.leadership.isLeader {
                do { try await parts.controller.load() } catch { log.warning("the store does not answer yet", ["error": "\(error)"]) }
            }
            lifecycle.started()
            await lifecycle.whileServing { await parts.controller.run() }
            await parts.storage.leadership.resign()
        }
    }

    /// They keep watch over what is stored.
    private var keepers: [Service] {
        let storage = parts.storage
        return [
            .loop("marks") { await storage.marks.run() },
            .loop("alert reports") { await reportAlerts() },
            .loop("signed tables") { await storage.tables.watch { storage.fenceWhileLeading } },
            .loop("checkpoint") { await storage.tables.keepCheckpoint(configuration.checkpointFile) { storage.fenceWhileLeading } },
            .loop("store policy") { await storage.store.watchPolicy(parts.alertReporter) },
        ]
    }

    // MARK: - The API

    private var webhooks: Service { .loop("webhooks") { await api.webhooks.run() } }

    /// The audit log among them: it stops after the last request, so what that has done is written down too.
    private var apiTasks: Service { .loop("API tasks") { await api.api.run() } }

    private var server: Service {
        Service("API server") { lifecycle in
            let server = try HTTPServer(
                address: configuration.api.address, port: configuration.api.port, limits: limits, answersAlways: RequestPipeline.isHealth,
                refuse: api.api.refuser(), dispatch: api.api.dispatcher())
            log.info("API on http://\(configuration.api.address):\(server.port)", ["admin_key": configuration.adminKeyFile])
            lifecycle.started()
            await lifecycle.stopRequested()
            api.api.cancelLongPolls()
            await server.stop()
        }
    }

    private var echo: [Service] {
        guard let endpoint = configuration.verification.echo else { return [] }
        return [
            Service("echo") { lifecycle in
                let echo = EchoServer(endpoint: endpoint, trustedProxies: configuration.api.serving.trustedProxies)
                let server = try echo.start()
                log.info("says who asks on http://\(endpoint)/ and /json")
                lifecycle.started()
                await lifecycle.stopRequested()
                await server.stop(grace: 1)
            }
        ]
    }

    /// Connections that fit into what descriptors there are.
    private var limits: HTTPServer.Limits {
        var limits = configuration.api.limits
        let descriptors = DescriptorLimit.raise()
        let fitting = UInt32(DescriptorLimit.connections(Int(limits.connections), of: descriptors))
        if fitting < limits.connections {
            log.warning(
                "the API accepts \(fitting) open connections, not \(limits.connections): raise the limit of open files (ulimit -Hn)",
                ["descriptors": String(descriptors)])
            limits.connections = fitting
        }
        return limits
    }

    private var reload: Service {
        .loop("reload") {
            for await _ in reloads {
                manager?.reloading()
                let report = try? await api.reloading.reload(recordingIn: parts.controller, cause: .signal)
                api.api.audit.record(
                    AuditEntry(.system, "SIGHUP", details: report.map { "changed: \($0.changed.joined(separator: " "))" } ?? "refused"))
                manager?.ready()
            }
        }
    }

    /// What HAProxy's Lua code asks.
    private var demands: DemandSocket {
        let (controller, leadership) = (parts.controller, parts.storage.leadership)
        return DemandSocket(
            path: configuration.haproxySettings.demandSocket, sharing: parts.gateway.sharing, log: log, mayListen: { leadership.isLeader },
            answer: { await controller.open($0, for: $1) })
    }

    // MARK: - What nobody waits for

    /// Some wait for programs and questions that can't be called off; the process ends without them.
    private var helpers: [Service] {
        var services: [Service] = [
            .loop("catalog", stopSeconds: 0) { await parts.servers.keepFresh(for: parts.controller) },
            .once("warm-up", stopSeconds: 0) { await warmUp() },
            .loop("usage meter") { await parts.meter.run() },
            .loop("gateway entries") { await watchEntries() },
            .loop("demands") { await demands.run() },
        ]
        if let accessLog = parts.accessLog { services.append(.loop("access log") { await accessLog.run() }) }
        if let traefik = parts.traefik { services.append(.loop("Traefik's file") { await traefik.follow(parts.controller) }) }
        if let firstCountry { services.append(.once("first exit", stopSeconds: 0) { await Welcome(parts, api.api).open(firstCountry) }) }
        return services
    }
}
