/// The routes of one subject, and what their handlers need.
package protocol RouteGroup: Sendable {
    /// In the order in which the pages show them.
    var routes: [APIRoute] { get }
}
