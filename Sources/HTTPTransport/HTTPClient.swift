import CCurl
import CShims
import Dispatch
import Platform
import Synchronization

/// HTTP by libcurl: all transfers run on one thread of its own (libcurl's multi interface), none blocks the caller's.
package final class HTTPClient: Sendable {
    private enum Command {
        case start(Transfer)
        case cancel(Int)
        case stop
    }

    private struct State {
        var commands: [Command] = []
        var nextID = 0
        var isClosed = false
    }

    /// `curl_multi_wakeup` is the one function of a multi handle that other threads may call.
    private struct MultiHandle: @unchecked Sendable { let pointer: UnsafeMutableRawPointer }

    private let multi: MultiHandle
    private let state = Mutex(State())
    private let ended = DispatchSemaphore(value: 0)

    private static let initialized: Bool = {
        CryptoLibrary.initialize()
        return curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK
    }()

    package init() {
        precondition(Self.initialized, "libcurl can't be initialized")
        guard let pointer = curl_multi_init() else { preconditionFailure("libcurl has no memory for a multi handle") }
        multi = MultiHandle(pointer: pointer)
        SystemThread.start("sallyport.curl") { [self] in work() }
    }

    /// Ends every transfer with `closed` and waits for the thread. Call it before `main` returns.
    package func close() {
        let isFirst = state.withLock { state in
            defer { state.isClosed = true }
            if !state.isClosed { state.commands.append(.stop) }
            return !state.isClosed
        }
        guard isFirst else { return }
        curl_multi_wakeup(multi.pointer)
        ended.wait()
    }

    /// The answer to a request, whatever its status.
    /// - Throws: `TransportError` when there is none, within the request's deadlines; cancellation ends it at once.
    package func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = nextID()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                post(Transfer(id: id, request: request, sink: .whole(continuation)))
                // A cancellation that came before was about a transfer that nobody knew.
                if Task.isCancelled { cancel(id) }
            }
        } onCancel: {
            cancel(id)
        }
    }

    /// Hands the body of a successful answer to `take` piece by piece, and keeps none of it; the answer's own body is then empty.
    /// The body of any other answer is kept as usual.
    ///
    /// - Parameter take: called on the client's thread, in order, and never after the return: it must be quick. False ends the
    ///   transfer, which counts as an answer.
    package func send(_ request: HTTPRequest, taking take: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool) async throws
        -> HTTPResponse
    {
        let id = nextID()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                post(Transfer(id: id, request: request, sink: .pieces(take, continuation)))
                if Task.isCancelled { cancel(id) }
            }
        } onCancel: {
            cancel(id)
        }
    }

    /// The body of an answer as it arrives; an answer whose status is not 2xx ends it with that status as error.
    /// At most 256 chunks wait for a slow reader; then the oldest is dropped.
    package func stream(_ request: HTTPRequest) -> AsyncThrowingStream<[UInt8], any Error> {
        let id = nextID()
        return AsyncThrowingStream(bufferingPolicy: .bufferingNewest(256)) { continuation in
            continuation.onTermination = { [self] _ in cancel(id) }
            post(Transfer(id: id, request: request, sink: .stream(continuation)))
        }
    }

    private func nextID() -> Int {
        state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
    }

    private func post(_ transfer: Transfer) {
        if !command(.start(transfer)) { transfer.fail(TransportError(code: .closed, message: "the client is closed")) }
    }

    private func cancel(_ id: Int) { _ = command(.cancel(id)) }

    /// Leaves a command for the thread; false when the client is closed.
    private func command(_ command: Command) -> Bool {
        let (isOpen, isFirst) = state.withLock { state in
            let isFirst = state.commands.isEmpty
            if !state.isClosed { state.commands.append(command) }
            return (!state.isClosed, isFirst)
        }
        // Where others wait to be taken, the thread has been woken for them.
        if isOpen && isFirst { curl_multi_wakeup(multi.pointer) }
        return isOpen
    }

    // MARK: - The thread

    private func work() {
        var running: [Int: Transfer] = [:]
        var spare = SpareHandles()
        while true {
            var active: Int32 = 0
            curl_multi_perform(multi.pointer, &active)
            finishDone(&running, &spare)
            let commands = state.withLock { state in
                defer { state.commands = [] }
                return state.commands
            }
            for command in commands {
                switch command {
                case .start(let transfer):
                    if let handle = transfer.prepare(spare.take()), curl_multi_add_handle(multi.pointer, handle) == CURLM_OK {
                        running[transfer.id] = transfer
                    } else {
                        transfer.fail(TransportError(code: .other, message: "libcurl refuses the request for \(transfer.request.url)"))
                    }
                case .cancel(let id):
                    guard let transfer = running.removeValue(forKey: id) else { continue }
                    drop(transfer)
                    transfer.fail(TransportError(code: .cancelled, message: "cancelled"))
                case .stop:
                    for transfer in running.values {
                        drop(transfer)
                        transfer.fail(TransportError(code: .closed, message: "the client is closed"))
                    }
                    running = [:]
                    spare.clear()
                    curl_multi_cleanup(multi.pointer)
                    ended.signal()
                    return
                }
            }
            if commands.isEmpty { curl_multi_poll(multi.pointer, nil, 0, 10_000, nil) }
        }
    }

    private func drop(_ transfer: Transfer) {
        if let handle = transfer.handle { curl_multi_remove_handle(multi.pointer, handle) }
    }

    private func finishDone(_ running: inout [Int: Transfer], _ spare: inout SpareHandles) {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi.pointer, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle,
                let pointer = shim_curl_get_private(handle)
            else { continue }
            let result = shim_curl_message_result(message)
            let transfer = Unmanaged<Transfer>.fromOpaque(pointer).takeUnretainedValue()
            running[transfer.id] = nil
            curl_multi_remove_handle(multi.pointer, handle)
            transfer.finish(result)
            if let handle = transfer.releaseHandle() { spare.put(handle) }
        }
    }
}
