import EventStreams
import HTTPServing
import Model
import OpenAPI
import Platform
import TimeSeries

/// Where the topics of `/api/stream/dashboard` come from: the same views as the routes show, by their ids.
struct DashboardTopics {
    /// Events and log lines that a snapshot holds.
    private static let kept = 500
    let operations: any Operations
    let proxy: ProxyAddress
    let traffic: StoredTopic
    let changes: StoredTopic
    let history: FigureHistory
    let health: HealthRoutes
    let tail: LogTail?

    func feed(_ streams: Streams) {
        for showsNames in [true, false] {
            for (topic, source) in sources(streams, showsNames: showsNames) { streams.topics.add(topic, showsNames: showsNames, source) }
        }
    }

    private func sources(_ streams: Streams, showsNames: Bool) -> [Topic: any TopicSource] {
        let (operations, proxy) = (operations, proxy)
        return [
            .exits: ExitSource(exits: { operations.state.exits }, json: { Self.text(.exit($0, proxy: proxy)) }),
            .traffic: traffic.source { showsNames || $0.hasPrefix("exit:") },
            .pools: ofState { state in
                state.pools.reduce(into: [:]) { $0[$1.key.rawValue] = Self.json(PoolInState.view(PoolInState($1.value, state))) }
            },
            .users: ofState { state in
                state.users.reduce(into: [:]) { items, user in
                    items[user.name] = Self.json(ShownUser.view(ShownUser(user: user, blocked: state.blockedUsers[user.name])))
                }
            },
            .alerts: alerts(showsNames),
            .breakers: ofState { state in
                state.breakers.reduce(into: [:]) { $0["\($1.name)"] = Self.json($1) }
            },
            .health: RevisedSource { [health] _ in health.partsByName.mapValues(Self.json) },
            .figures: figures,
            .changes: changes.source { _ in true },
            .events: events(streams.events, showsNames),
            .logs: logs(showsNames),
        ]
    }

    // MARK: - Sources

    private func ofState(_ items: @escaping @Sendable (OperatorState) -> [String: String]) -> RevisedSource {
        let operations = operations
        return RevisedSource(revision: { "\(operations.revision)" }) { _ in items(operations.state) }
    }

    private func alerts(_ showsNames: Bool) -> RevisedSource {
        ofState { state in
            state.alerts.enumerated().reduce(into: [:]) { items, entry in
                let alert = showsNames ? entry.element : entry.element.withoutUserName(number: entry.offset + 1)
                items["\(alert.subject)"] = Self.json(alert)
            }
        }
    }

    private func events(_ feed: EventFeed, _ showsNames: Bool) -> RevisedSource {
        RevisedSource(revision: { feed.revision }) { last in
            feed.latest(Self.kept).reduce(into: [:]) { items, entry in
                items[entry.id] =
                    last[entry.id] ?? Self.json(EventView(id: entry.id, showsNames ? entry.event : entry.event.withoutUserName))
            }
        }
    }

    private func logs(_ showsNames: Bool) -> RevisedSource {
        let tail = tail
        return RevisedSource(revision: { "\(tail?.count ?? 0)" }) { last in
            (tail?.lines ?? []).suffix(Self.kept).reduce(into: [:]) { items, line in
                items["\(line.number)"] = last["\(line.number)"] ?? (showsNames ? line : line.withoutUserName).json
            }
        }
    }

    /// That there is a new sample, and of when: the page asks for the figures that it shows.
    private var figures: RevisedSource {
        RevisedSource { [history] _ in
            let now = SystemClock.now()
            let points = history.points(since: now + -60, step: 10, now: now).points
            return points.last { $0.sample != nil }.map { ["latest": "{\"at\":\"\($0.at)\"}"] } ?? [:]
        }
    }

    private static func json(_ value: some Encodable) -> String { text(.json(value)) }

    private static func text(_ response: ServerResponse) -> String { String(decoding: response.body, as: UTF8.self) }
}
