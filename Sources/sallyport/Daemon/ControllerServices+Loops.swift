import API
import AuditLog
import Catalog
import Control
import DockerEngine
import HAProxyControl
import Model
import Platform

extension ControllerServices {
    /// Tells of what this process has found by itself, as of what the loop has found.
    func reportAlerts() async {
        for await change in parts.alertReporter.changes {
            switch change {
            case .noted(let text):
                parts.log.warning(text)
                api.api.audit.record(AuditEntry(.system, "store", details: text))
            case .raised(let alert):
                await parts.controller.record(.alertRaised, alert.severity, "alert \(alert.subject): \(alert.message); \(alert.remedy)")
            case .cleared(let alert): await parts.controller.record(.alertCleared, .info, "alert \(alert.subject) is over")
            }
        }
    }

    /// Takes renewed certificates over while we run, and ports that were in use before.
    func watchEntries() async {
        while !Task.isCancelled {
            do { try await parts.gateway.refreshCertificates() } catch { parts.log.warning("certificates", ["error": "\(error)"]) }
            do { try await parts.gateway.refreshPorts() } catch { parts.log.warning("opening ports", ["error": "\(error)"]) }
            try? await Task.sleep(for: .seconds(5))
        }
    }

    /// Does ahead what the first exit would wait for.
    func warmUp() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await parts.exits.prepareImage()
                    // Of several controllers the one that leads makes it, with its first exit: the engine lets two make two.
                    if !parts.configuration.redisIsShared { _ = try await parts.exits.prepareNetwork() }
                } catch {
                    parts.log.warning("the engine is not ready", ["error": "\(error)"])
                }
            }
            group.addTask { try? await parts.servers.catalog.refresh() }
            group.addTask { _ = await parts.prober.directAddress() }
        }
    }
}
