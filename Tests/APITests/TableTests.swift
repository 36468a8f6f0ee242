@testable import API
@testable import RequestPipeline
import HTTPServing
import Model
@testable import OpenAPI
import Platform
import TestSupport
import Testing

/// What the table of routes must hold by itself.
@Suite(.timeLimit(.minutes(1))) struct TableTests {
    private static let api = try? Subject(.direct).api

    @Test(arguments: RouteCase.all) func `a route is described, and its examples are what it describes`(call: RouteCase) throws {
        let contract = call.route.access
        #expect(!contract.summary.isEmpty && !contract.answers.isEmpty)
        for name in call.route.placeholders {
            let placeholder = try #require(Placeholder.all[name], "{\(name)} has no line in Placeholder.all")
            #expect(placeholder.schema.problems(with: placeholder.schema.example) == [])
        }
        for parameter in contract.query { #expect(parameter.schema.problems(with: parameter.schema.example) == []) }
        if let body = contract.body {
            #expect(body.schema.problems(with: body.example ?? body.schema.example) == [])
            #expect(body.schema.problems(with: body.schema.example) == [])
        }
        for answer in contract.answers {
            if let schema = answer.schema { #expect(schema.problems(with: schema.example) == []) }
        }
    }

    @Test func `no two routes are the same, and none has another's name`() throws {
        let routes = try #require(Self.api).pipeline.table.routes
        #expect(Set(routes.map { "\($0.method) \($0.pattern)" }).count == routes.count)
        #expect(Set(routes.map(\.operationID)).count == routes.count)
    }

    @Test func `the document for users has every route, with the role that the table gives it`() throws {
        let text = try Files.read("\(Repository.root)/docs/api.md")
        for route in try #require(Self.api).pipeline.table.routes {
            let role =
                switch route.access.access {
                case .open: "none"
                case .user: "user"
                case .role(let role): role.rawValue
                }
            let row = "| `\(route.method) \(route.pattern)` | \(role) |"
            let isThere = text.contains(row)
            #expect(isThere, "docs/api.md has no line that begins with: \(row)")
        }
    }

    @Test func `a name stands for one schema`() throws {
        var known: [String: Document] = [:]
        for contract in try #require(Self.api).pipeline.table.routes.map(\.access) {
            for schema in contract.answers.compactMap(\.schema) + [contract.body?.schema].compactMap(\.self) {
                for (name, component) in schema.components {
                    #expect(known.updateValue(component.document, forKey: name) ?? component.document == component.document)
                }
            }
        }
        #expect(known.count > 40)
    }
}
