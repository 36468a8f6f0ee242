import Model
import Planning
import Platform

/// The engine's events. They only wake the loop: the next pass lists the containers, and sees also what no event has reported.
extension Controller {
    func followEngine() async {
        var pause = 0.2
        while !Task.isCancelled {
            do {
                let changes = try await ports.engine.changes()
                let stream = spawn { controller in
                    for try await _ in changes {
                        controller.eventStream.received(now: controller.ports.instant)
                        controller.wake()
                    }
                }
                eventStream.follow(stream, now: ports.instant)
                try await withTaskCancellationHandler {
                    try await stream.value
                } onCancel: {
                    stream.cancel()
                }
                pause = 0.2
            } catch {
                ports.log.debug("the engine's events ended", ["error": "\(error)"])
            }
            try? await ports.sleep(seconds: pause)
            pause = min(5, pause * 2)
            wake()
        }
    }

    /// Ends a stalled stream, so that `followEngine` opens a new one.
    func checkEventStream() {
        guard eventStream.isStalled(now: ports.instant) else { return }
        ports.log.warning("the engine's event stream has missed a change; it is opened again")
        eventStream.stream?.cancel()
    }
}
