package import Model

/// Where the items of one topic come from. Items are JSON by id, each on one line.
package protocol TopicSource: Sendable {
    /// The items of now.
    /// - Parameter last: those of the last time; what has not changed may be taken from them.
    /// - Returns: nil where nothing has changed since the last time.
    mutating func items(after last: [String: String]) -> [String: String]?
}

/// A topic whose items are written anew whenever a revision has changed, or each time where it has none.
package struct RevisedSource: TopicSource {
    private let revision: (@Sendable () -> String)?
    private let items: @Sendable (_ last: [String: String]) -> [String: String]
    private var known: String?

    /// - Parameter revision: equal ones stand for equal items; nil for items that are cheap to write.
    package init(
        revision: (@Sendable () -> String)? = nil, items: @escaping @Sendable (_ last: [String: String]) -> [String: String]
    ) {
        self.revision = revision
        self.items = items
    }

    package mutating func items(after last: [String: String]) -> [String: String]? {
        let now = revision?()
        guard now == nil || now != known else { return nil }
        known = now
        return items(last)
    }
}

/// The exits: only those that have changed are written, and those whose figures alone differ at most each five seconds.
package struct ExitSource: TopicSource {
    private let exits: @Sendable () -> [ExitID: Exit]
    private let json: @Sendable (Exit) -> String
    private var changes = ExitChanges()

    package init(exits: @escaping @Sendable () -> [ExitID: Exit], json: @escaping @Sendable (Exit) -> String) {
        self.exits = exits
        self.json = json
    }

    package mutating func items(after last: [String: String]) -> [String: String]? {
        let (changed, gone) = changes.changes(to: exits(), now: .now)
        guard !changed.isEmpty || !gone.isEmpty else { return nil }
        var items = last
        for exit in changed { items[exit.id.description] = json(exit) }
        for id in gone { items[id.description] = nil }
        return items
    }
}
