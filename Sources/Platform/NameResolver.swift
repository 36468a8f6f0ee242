import Dispatch
import Glibc
import Synchronization

/// IPv4 addresses of host names, by the machine's own resolver.
package enum NameResolver {
    /// One address for each name that has one, any of them where it has several; 50 names are asked for at once.
    package static func addresses(of names: [String]) async -> [String: String] {
        var found: [String: String] = [:]
        let unique = Array(Set(names))
        for start in stride(from: 0, to: unique.count, by: 50) {
            await withTaskGroup(of: (String, String?).self) { group in
                for name in unique[start..<min(start + 50, unique.count)] {
                    group.addTask { (name, try? await Blocking.run { addresses(of: name, family: AF_INET).randomElement() }) }
                }
                for await (name, address) in group { found[name] = address }
            }
        }
        return found
    }

    /// Every IPv4 and IPv6 address of a name, best first; of an address itself. Empty where there is none.
    package static func allAddresses(of name: String) async -> [String] {
        (try? await Blocking.run { addresses(of: name, family: AF_UNSPEC) }) ?? []
    }

    /// Every address of a name, best first, for a thread that may block; nil where the resolver has not answered within `seconds`.
    /// Those who ask for a name that is being looked up wait for that answer.
    package static func waitForAddresses(of name: String, seconds: Double) -> [String]? {
        let lookup = lookups.withLock { lookups in
            if let lookup = lookups[name] { return lookup }
            let lookup = Lookup()
            lookups[name] = lookup
            DispatchQueue(label: "sallyport.resolver").async {
                let addresses = addresses(of: name, family: AF_UNSPEC)
                _ = Self.lookups.withLock { $0.removeValue(forKey: name) }
                lookup.finish(addresses)
            }
            return lookup
        }
        return lookup.wait(seconds)
    }

    private static let lookups = Mutex<[String: Lookup]>([:])

    /// One question to the resolver, for which several threads may wait.
    private final class Lookup: Sendable {
        private let answer = Mutex<[String]?>(nil)
        private let isAnswered = DispatchSemaphore(value: 0)

        func finish(_ addresses: [String]) {
            answer.withLock { $0 = addresses }
            isAnswered.signal()
        }

        func wait(_ seconds: Double) -> [String]? {
            guard isAnswered.wait(timeout: .now() + seconds) == .success else { return nil }
            // For the next one who waits.
            isAnswered.signal()
            return answer.withLock { $0 }
        }
    }

    /// Blocks until the resolver answers or gives up.
    private static func addresses(of name: String, family: Int32) -> [String] {
        var hints = addrinfo()
        hints.ai_family = family
        // One kind of socket, or each address would come three times.
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        return sequence(first: list) { $0?.pointee.ai_next }.prefix { $0 != nil }.compactMap { entry in
            entry?.pointee.ai_addr.flatMap { SocketAddress.text(of: $0) }
        }
    }
}
