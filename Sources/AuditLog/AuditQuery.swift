package import Model

/// Which entries of the audit log are wanted; nil matches every entry.
package struct AuditQuery: Sendable {
    package var since: Timestamp?
    package var until: Timestamp?
    package var kind: String?
    /// The key's name or id.
    package var key: String?
    package var address: String?
    package var action: String?
    package var method: String?
    /// A path; with `*` at its end it matches all paths that begin so.
    package var path: String?
    package var status: Int?

    package init() {}

    /// True where an entry matches in all but its time.
    func contains(_ entry: AuditEntry) -> Bool {
        func isOne(_ wanted: String?, of values: String?...) -> Bool { wanted.map(values.contains) ?? true }
        return isOne(kind, of: entry.kind.rawValue) && isOne(key, of: entry.key, entry.keyID) && isOne(address, of: entry.address)
            && isOne(action, of: entry.action) && isOne(method, of: entry.method) && (status.map { entry.status == $0 } ?? true)
            && isWithinPath(entry.path)
    }

    private func isWithinPath(_ present: String?) -> Bool {
        guard let path else { return true }
        guard path.hasSuffix("*") else { return present == path }
        return present?.hasPrefix(path.dropLast()) ?? false
    }
}
