import CCurl
import CShims

/// The options of one curl handle, and whether libcurl has taken all of them.
struct CurlOptions {
    let handle: UnsafeMutableRawPointer
    private(set) var areAccepted = true

    init(handle: UnsafeMutableRawPointer) { self.handle = handle }

    mutating func set(_ option: CURLoption, _ value: Int) {
        areAccepted = shim_curl_set_long(handle, option, value) == CURLE_OK && areAccepted
    }

    mutating func set(_ option: CURLoption, _ value: String) {
        areAccepted = shim_curl_set_string(handle, option, value) == CURLE_OK && areAccepted
    }
}
