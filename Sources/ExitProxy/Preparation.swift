/// A connection to a target that is made for a gateway, which then may send the request here, or ask another exit.
///
/// The gateway is told when the target takes longer than the tunnel explains: `exit_silent` where nothing at all has come through the
/// tunnel since, `target_slow` where something has. In doubt the tunnel's resolver is asked, so that a silent target is not taken for
/// a silent tunnel.
final class Preparation {
    enum News {
        case ready(Socket)
        case failed(TargetFault)
        case silent
        case slow
    }

    private let server: Server
    private let silence: Int
    private let tell: (News) -> Void
    private var timers: [Timer] = []
    private var dial: Dial?
    private let begin: Int

    /// - Parameters:
    ///   - silence: milliseconds without an answer after which the gateway wants to know.
    ///   - tell: called once or twice; the last time with `ready` or `failed`.
    init(_ target: Target, silence: Int, _ server: Server, _ tell: @escaping (News) -> Void) {
        self.server = server
        self.silence = silence
        self.tell = tell
        begin = server.loop.now
        dial = Dial(target, server) { [self] result in
            timers.forEach { $0.cancel() }
            switch result {
            case .success(let socket): tell(.ready(socket))
            case .failure(let fault): tell(.failed(fault))
            }
        }
    }

    func start() {
        timers = [
            server.loop.after(silence / 2) { [self] in
                if !hasHeard { server.resolver.probe() }
            },
            server.loop.after(silence) { [self] in tell(hasHeard ? .slow : .silent) },
        ]
        dial?.start()
    }

    /// The round that it began in may have heard something before.
    private var hasHeard: Bool { server.shared.activity.hasHeard(since: begin + 1) }

    func cancel() {
        timers.forEach { $0.cancel() }
        dial?.cancel()
    }
}
