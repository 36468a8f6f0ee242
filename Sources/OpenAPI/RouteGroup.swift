/// The routes of one subject, and what their handlers need.
package protocol RouteGroup: Sendable {
    /// In the order of the document.
    var routes: [APIRoute] { get }
}
