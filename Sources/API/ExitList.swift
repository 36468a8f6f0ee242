import HTTPServing
import Model
import RequestPipeline
import Synchronization

/// The answer with all exits, made once for each revision of the state. Thread-safe.
final class ExitList: Sendable {
    private let operations: any Operations
    private let proxy: ProxyAddress
    private let made = Mutex<(revision: Int, response: ServerResponse)?>(nil)

    init(_ operations: any Operations, proxy: ProxyAddress) {
        self.operations = operations
        self.proxy = proxy
    }

    var response: ServerResponse {
        let revision = operations.revision
        if let response = made.withLock({ $0?.revision == revision ? $0?.response : nil }) { return response }
        let state = operations.state
        var response = ServerResponse.exits(state.exits.values, proxy: proxy)
        response.prepare()
        let prepared = response
        made.withLock { $0 = (state.revision, prepared) }
        return prepared
    }
}
