import HTTPServing
import OpenAPI

/// `/docs`, `/redoc`: the usual addresses of an API's pages. They lead to the dashboard's page of the API, and without a dashboard to the
/// document.
struct ReferenceRoutes: RouteGroup {
    let showsDashboard: Bool

    var routes: [APIRoute] {
        let target = showsDashboard ? "/reference" : "/openapi.json"
        let response = ServerResponse(status: 302, headers: [("Location", target)])
        return ["/docs", "/redoc"].map {
            Route("GET", $0, .open, "Leads to \(target)", answers: [.found("what is there")], .ready { _ in response })
        }
    }
}
