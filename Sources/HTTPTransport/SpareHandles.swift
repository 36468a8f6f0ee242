import CCurl

/// Curl handles that have done their transfer and wait for the next: to make one costs several times as much as to reset it.
/// For the curl thread alone.
struct SpareHandles {
    private static let limit = 64
    private var handles: [UnsafeMutableRawPointer] = []

    /// A handle as good as new; nil when libcurl has no memory.
    mutating func take() -> UnsafeMutableRawPointer? { handles.popLast() ?? curl_easy_init() }

    /// Takes a handle that belongs to no multi handle any more. It forgets its request.
    mutating func put(_ handle: UnsafeMutableRawPointer) {
        guard handles.count < Self.limit else { return curl_easy_cleanup(handle) }
        curl_easy_reset(handle)
        handles.append(handle)
    }

    mutating func clear() {
        handles.forEach { curl_easy_cleanup($0) }
        handles = []
    }
}
