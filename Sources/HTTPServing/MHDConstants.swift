import CMicroHTTPD
import CShims

/// libmicrohttpd's closed enums come into Swift without their names; these are the values of microhttpd.h.
enum MHD {
    // Each raw value is one that the header declares, so the initializers can't return nil.
    static let yes = MHD_Result(rawValue: 1)!
    static let no = MHD_Result(rawValue: 0)!
    static let mustCopy = MHD_ResponseMemoryMode(rawValue: 2)!
    /// Of a notification about a connection: it was opened.
    static let started = MHD_ConnectionNotificationCode(rawValue: 0)!
    static let headerKind = MHD_ValueKind(rawValue: 1)!
}
