import Platform

/// The connections of a server that are open, and which of them a new one may push out. On the server's thread.
///
/// Beyond the limits a connection is taken as a surplus one: it may ask only for what the server always answers, is closed after its
/// answer, and gives way to the next of its kind. So whoever holds all connections keeps nobody from asking whether the server is well.
struct ConnectionTable {
    /// Milliseconds that a connection has to be idle to be pushed out by a new one, and after which others are looked for again where
    /// there were none.
    static let idleMilliseconds: Int64 = 1000
    private static let pauseMilliseconds: Int64 = 100
    /// Idle connections that one look finds.
    private static let found = 64

    private let limits: HTTPServer.Limits
    private var all: [ObjectIdentifier: Connection] = [:]
    private var regular = 0
    /// Regular ones, by who holds them.
    private var held: [String: Int] = [:]
    private var surplus: [Connection] = []
    /// The longest idle ones of a holder, or of all (""), the last of them first; and when there is to be another look for them.
    private var idle: [String: [Connection]] = [:]
    private var nextLook: [String: Int64] = [:]

    init(_ limits: HTTPServer.Limits) { self.limits = limits }

    var count: Int { all.count }
    var connections: [Connection] { Array(all.values) }

    /// Takes a new connection.
    /// - Returns: it, and one that is to be hung up for it.
    mutating func open(descriptor: Int32, address: String, _ now: Int64) -> (new: Connection, leaving: Connection?) {
        let holder = IPNetwork.holder(of: address)
        let isFullForAll = regular >= Int(limits.connections)
        let isFullForHolder = limits.connectionsPerAddress > 0 && held[holder, default: 0] >= Int(limits.connectionsPerAddress)
        var leaving: Connection?
        if isFullForHolder || isFullForAll {
            // Another one of the same holder makes room for both.
            leaving = takeIdle(isFullForHolder ? holder : "", now)
            if let leaving { forget(leaving) }
        }
        let isSurplus = (isFullForAll || isFullForHolder) && leaving == nil
        let new = Connection(
            descriptor: descriptor, address: address, holder: holder, isSurplus: isSurplus,
            seconds: isSurplus ? limits.surplusSeconds : limits.requestSeconds)
        all[ObjectIdentifier(new)] = new
        if isSurplus {
            surplus.append(new)
            if surplus.count > Int(limits.surplus) { leaving = surplus.removeFirst() }
        } else {
            regular += 1
            held[holder, default: 0] += 1
        }
        return (new, leaving)
    }

    mutating func close(_ connection: Connection) {
        guard all.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        if connection.isSurplus { surplus.removeAll { $0 === connection } } else { forget(connection) }
    }

    /// Gives a regular connection's place to others; it may still be open for a moment.
    private mutating func forget(_ connection: Connection) {
        guard connection.leave() else { return }
        regular -= 1
        held[connection.holder, default: 1] -= 1
        if held[connection.holder] == 0 { held[connection.holder] = nil }
    }

    /// The longest idle one of a holder, or of all.
    private mutating func takeIdle(_ holder: String, _ now: Int64) -> Connection? {
        while let next = idle[holder]?.popLast() {
            if next.isIdle(since: now - Self.idleMilliseconds) { return next }
        }
        guard nextLook[holder, default: 0] <= now else { return nil }
        let found = all.values.filter { connection in
            !connection.isSurplus && (holder.isEmpty || connection.holder == holder)
                && connection.isIdle(since: now - Self.idleMilliseconds)
        }
        if nextLook.count > 1000 { (idle, nextLook) = ([:], [:]) }
        idle[holder] = found.sorted { $0.idleSince > $1.idleSince }.suffix(Self.found)
        nextLook[holder] = now + Self.pauseMilliseconds
        return idle[holder]?.popLast()
    }
}
