import Platform

/// A target that answers a request with its own head and body, with semicolons in place of line ends. It says 100 where that is expected,
/// and says back what comes after an `Upgrade`.
package enum ProgramTarget {
    private static let accepted =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

    package static func server() throws -> ScriptedServer {
        try ScriptedServer { connection in
            while let head = connection.head() {
                let words = head.lowercased()
                if words.contains("\r\nupgrade:") { return echo(connection) }
                if words.contains("\r\nexpect:") { connection.write("HTTP/1.1 100 Continue\r\n\r\n") }
                guard let body = connection.body(of: head) else { return }
                connection.answer(200, head.replacing("\r\n", with: ";") + ";" + String(decoding: body, as: UTF8.self))
            }
        }
    }

    private static func echo(_ connection: ScriptedConnection) {
        connection.write(accepted)
        while let bytes = connection.bytes() { connection.write(bytes) }
    }

    /// The same as a program of busybox's shell, for `nc -e`.
    package static let script = """
        cr=$(printf '\\r')
        while :; do
            head= length=0 expects= upgrades=
            while IFS= read -r line; do
                line=${line%$cr}
                [ -n "$line" ] || break
                head="$head$line;"
                case $line in
                    content-length:* | Content-Length:*) length=${line#*: } ;;
                    expect:*) expects=1 ;;
                    upgrade:*) upgrades=1 ;;
                esac
            done
            [ -n "$head" ] || exit
            [ -z "$expects" ] || printf 'HTTP/1.1 100 Continue\\r\\n\\r\\n'
            if [ -n "$upgrades" ]; then
                printf '\(accepted.replacing("\r\n", with: "\\r\\n"))'
                exec busybox cat
            fi
            [ "$length" = 0 ] || head="$head$(busybox head -c "$length")"
            printf 'HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s' ${#head} "$head"
        done
        """
}
