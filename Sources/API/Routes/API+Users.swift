import HTTPServing
package import Model
import Platform

/// `/api/users`: who may use the proxies.
extension API {
    var userRoutes: [APIRoute] {
        [
            Route(
                "GET", "/api/users", Contract(.role(.admin), "Proxy users", answers: [.json(200, "the users", .named("Users"))]),
                .ready(listUsers)),
            Route(
                "POST", "/api/users",
                Contract(
                    .role(.admin), "Makes a proxy user", "Without a password one is made; only this answer shows it.",
                    body: Body(
                        .object(
                            .always("name", .text("bob", pattern: "^[a-z0-9_.]{1,32}$"), "1 to 32 of a-z 0-9 _ ."),
                            .maybe("password", .text("correct-horse-battery", pattern: "^[!-~]{12,128}$"), "printable ASCII without spaces")
                        ),
                        example: .object(["name": .string("bob")])),
                    answers: [.json(201, "the user", .named("User"))], answersSecret: true),
                .waiting(createUser)),
            Route(
                "DELETE", "/api/users/{name}", Contract(.role(.admin), "Removes a proxy user", answers: [.empty("it is removed")]),
                .waiting(deleteUser)),
        ]
    }

    func listUsers(_ request: ServerRequest) throws -> ServerResponse {
        return .json(["users": operations.state.users.map { UserView($0) }])
    }

    /// Makes a user. Without a password of the caller's one is made; only that answer shows it.
    func createUser(_ request: ServerRequest) async throws -> ServerResponse {
        let (name, chosen): (String, String?) = try request.body { reader in
            let password = reader.string("password", limit: 128)
            if let password, password.utf8.count < 12 || !password.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
                reader.problem("password", "want 12 to 128 printable ASCII characters without spaces")
            }
            guard let name = reader.required("name", reader.string("name"), want: "1 to 32 of a-z 0-9 _ .") else { return nil }
            if !ProxyUser.isValidName(name) { reader.problem("name", "want 1 to 32 of a-z 0-9 _ . (no hyphen: it begins the parameters)") }
            return (name, password)
        }
        let password = chosen ?? Digest.randomWord(length: 24)
        let user = ProxyUser.make(name: name, password: password)
        try await operations.addUser(user)
        return .json(UserView(user, password: chosen == nil ? password : nil), status: 201)
    }

    func deleteUser(_ request: ServerRequest) async throws -> ServerResponse {
        try await operations.removeUser(request.parameters["name"] ?? "")
        return .noContent
    }
}

extension ProxyUser {
    /// A user with a new salt; the password itself is kept nowhere.
    package static func make(name: String, password: String) -> ProxyUser {
        let salt = Digest.randomHex(bytes: 16)
        return ProxyUser(name: name, salt: salt, digest: Digest.sha256("\(salt):\(password)"), createdAt: SystemClock.now())
    }
}
