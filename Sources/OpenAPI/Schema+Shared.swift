import Model

extension Schema {
    /// What a problem is answered with.
    static let problem = named(
        "Problem", .always("error", .text("invalid", pattern: "^[a-z0-9_]+$"), "a word for programs"),
        .always("message", .text("country: is missing, expected an ISO 3166-1 alpha-2 code like us"), "a sentence for people"),
        .always("request_id", .text("0f3c9a1b2c3d4e5f"), "as in X-Request-ID and in the log"),
        .maybe(
            "fields",
            .objects(
                .always("field", .text("country")), .always("message", .text("is missing, expected an ISO 3166-1 alpha-2 code like us"))),
            "every mistake, with `invalid` only"))

    /// One event of a stream.
    static let streamEvent = named(
        "StreamEvent", .maybe("id", .text("3f9ab27c-17"), "for Last-Event-ID"),
        .maybe("event", .text("exit"), "its kind; `gap`: what came before this is missing; `dropped`: the reader was too slow"),
        .maybe("data", .text("{}"), "JSON"), .maybe("retry", .whole(2000), "milliseconds until a reader should reconnect"))
}
