@testable import API
@testable import Dashboard
import HTTPServing
import Model
import OpenAPI
import Platform
@testable import RequestPipeline
import TestSupport
import Testing

/// The dashboard's addresses and files, as the API's server answers them.
@Suite(.timeLimit(.minutes(1))) struct DashboardTests {
    @Test func `each file of the folder is embedded as it is`() throws {
        let folder = "\(Repository.root)/Sources/Dashboard/Assets"
        let files = DashboardFile.all + [DashboardFile.shell].compactMap(\.self)
        #expect(files.count > 20 && Set(files.map(\.path)).count == files.count)
        for file in files where file.path != "world.json" {
            let path = file.mediaType.hasPrefix("text/html") ? "index.html" : file.path
            let text = try Files.read("\(folder)/\(path)")
            #expect(text == String(decoding: file.bytes, as: UTF8.self), "\(path)")
        }
    }

    @Test(arguments: Way.allCases) func `every page's address answers the shell, which may load nothing from elsewhere`(way: Way)
        async throws
    {
        try await Subject.with(way) { subject in
            for path in DashboardPages().paths {
                let answer = try await subject.call("GET", path, as: nil)
                #expect(answer.status == 200 && answer.text.contains("<div id=\"app\">"), "\(path)")
                #expect(answer.headers["content-type"] == "text/html; charset=utf-8")
                guard way == .live else { continue }
                let policy = answer.headers["content-security-policy"] ?? ""
                #expect(policy.hasPrefix("default-src 'none'; script-src 'self'; style-src 'self';") && !policy.contains("unsafe"))
                #expect(policy.hasSuffix("frame-ancestors 'none'; base-uri 'none'; form-action 'none'"))
            }
        }
    }

    @Test(arguments: [
        ("app.js", "text/javascript; charset=utf-8"), ("lib/dom.js", "text/javascript; charset=utf-8"),
        ("styles/tokens.css", "text/css; charset=utf-8"), ("favicon.svg", "image/svg+xml"), ("pages.json", "application/json"),
    ])
    func `a file has its type, a tag and a compressed form`(path: String, type: String) async throws {
        try await Subject.with(.live) { subject in
            let plain = try await subject.call("GET", "/assets/\(path)", as: nil)
            #expect(plain.status == 200 && plain.headers["content-type"] == type)
            #expect(plain.headers["cache-control"] == "private, no-cache")
            let policy = SecurityHeaders.api.all.first { $0.name == "Content-Security-Policy" }?.value
            #expect(plain.headers["content-security-policy"] == policy)
            let tag = try #require(plain.headers["etag"])
            let again = try await subject.call("GET", "/assets/\(path)", headers: [("If-None-Match", tag)])
            #expect(again.status == 304 && again.body.isEmpty)
            let small = try await subject.call("GET", "/assets/\(path)", headers: [("Accept-Encoding", "gzip")])
            #expect(small.status == 200 && small.headers["etag"] == tag)
        }
    }

    @Test(arguments: [
        "/assets", "/assets/", "/assets/none.js", "/assets/lib", "/assets/lib/none.js", "/assets/../app.js", "/assets/lib%2Fdom.js",
        "/assets/%2e%2e/app.js", "/assets/index.html", "/assets/a/b/c/d/e/f.js", "/nowhere", "/pages/exits",
    ])
    func `what is no file and no page is not found`(path: String) async throws {
        try await Subject.with(.live) { subject in
            let answer = try await subject.call("GET", path, as: nil)
            #expect(answer.status == 404 && answer.error == "not_found", "\(answer.status)")
        }
    }

    @Test func `no page takes an address of the API, and the document has none of the dashboard's`() async throws {
        let subject = try Subject(.direct)
        let routes = subject.api.pipeline.table.routes
        let addresses = Set(DashboardPages().paths + ["/assets/{file}"])
        #expect(routes.filter { addresses.contains($0.pattern) }.map(\.pattern) == [])
        let document = try await subject.call("GET", "/openapi.json").text
        #expect(!document.contains("/assets"))
    }

    @Test func `a page's address takes whatever the page has put into the URL`() async throws {
        try await Subject.with(.live) { subject in
            for query in ["range=6h", "q=a%20b&state=serving&state=failed&open=us-1", "kind=exit.serving&since="] {
                let page = try await subject.call("GET", "/events?\(query)", as: nil)
                #expect(page.status == 200, "\(query)")
            }
            let file = try await subject.call("GET", "/assets/app.js?x=1", as: nil)
            #expect(file.status == 422)
        }
    }

    @Test func `a dashboard that is turned off leaves the API as it is`() async throws {
        var parts = API.Parts()
        parts.showsDashboard = false
        try await Subject.with(.live, parts: parts) { subject in
            for path in ["/", "/assets/app.js", "/assets/pages.json", "/reference"] {
                let answer = try await subject.call("GET", path)
                #expect(answer.status == 404, "\(path)")
            }
            #expect(try await subject.call("GET", "/api/exits").status == 200)
        }
    }

    @Test(arguments: [true, false]) func `the usual addresses of an API's pages lead to one that is there`(showsDashboard: Bool)
        async throws
    {
        var parts = API.Parts()
        parts.showsDashboard = showsDashboard
        try await Subject.with(.live, parts: parts) { subject in
            for path in ["/docs", "/redoc"] {
                let answer = try await subject.call("GET", path, as: nil)
                let target = try #require(answer.headers["location"])
                #expect(answer.status == 302 && target == (showsDashboard ? "/reference" : "/openapi.json"))
                #expect(try await subject.call("GET", target, as: nil).status == 200)
            }
        }
    }

    @Test func `every file that another one names is there`() throws {
        let paths = Set(DashboardFile.all.map(\.path) + ["pages.json", "world.json"])
        for file in DashboardFile.all where file.path.hasSuffix(".js") {
            let text = String(decoding: file.bytes, as: UTF8.self)
            let folder = file.path.split(separator: "/").dropLast()
            for match in text.matches(of: /(?m)(?:^(?:import|export)\b[^;]*?|\bimport\()"(\.[^"]+)"/) {
                var place = folder
                for part in match.1.split(separator: "/") where part != "." { part == ".." ? _ = place.popLast() : place.append(part) }
                #expect(paths.contains(place.joined(separator: "/")), "\(file.path) imports \(match.1)")
            }
        }
        let shell = String(decoding: DashboardFile.shell?.bytes ?? [], as: UTF8.self)
        for match in shell.matches(of: /(?:src|href)="\/assets\/([^"]+)"/) { #expect(paths.contains(String(match.1)), "\(match.1)") }
    }

    @Test func `a page's address names the modules that it begins with, and no other page's view`() {
        let paths = Set(DashboardFile.all.map(\.path))
        let named = DashboardShell().html(for: "exits").matches(of: /rel="modulepreload" href="\/assets\/([^"]+)"/).map { String($0.1) }
        #expect(Set(named).isSubset(of: paths) && named == named.sorted())
        for path in ["app.js", "lib/dom.js", "pages/exits.js", "pages/exits/view.js", "pages/exits/columns.js", "pages/users.js"] {
            #expect(named.contains(path), "\(path)")
        }
        #expect(!named.contains("pages/users/view.js"))
    }

    @Test func `a module's imports are found, but for those on demand`() {
        let text = """
            /** @type {import("./none.js").Page} */
            import { h } from "../lib/dom.js";
            import {
              one,
            } from "./exits/columns.js";
            export { two } from "../lib/two.js";
            const view = () => import("./exits/view.js");
            export const name = "./no.js";
            """
        #expect(DashboardModules.imports(of: "pages/exits.js", in: text) == ["lib/dom.js", "pages/exits/columns.js", "lib/two.js"])
    }

    @Test func `pages are the modules in their folder, and not their parts`() {
        let pages = DashboardPages(files: [
            "app.js", "lib/dom.js", "pages/overview.js", "pages/exits.js", "pages/exits/row.js", "pages/a.css",
        ])
        #expect(pages.names == ["exits", "overview"])
        #expect(pages.paths == ["/", "/exits"])
    }
}
