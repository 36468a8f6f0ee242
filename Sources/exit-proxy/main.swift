internal import CLinux

// For its image the whole proxy is compiled as one module (containers/exit/build).
#if canImport(ExitProxy)
    import ExitProxy
#endif

// exit-proxy: reads KEY=value lines from standard input (containers/exit/README.md), becomes its own user, and serves until it is ended. Where
// a NUL ends its settings, whoever wrote them is asked by lines on standard output how the tunnel fares, and answers on standard input.

func fail(_ code: Int32, _ text: String) -> Never {
    _ = Array("exit-proxy: \(text)\n".utf8).withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    exit(code)
}

guard let (text, staysOpen) = SettingsText.standardInput() else { fail(64, "its settings are no text") }
do throws(SettingsText.Fault) {
    let read = try SettingsText(text)
    if let user = read.user, setgroups(0, nil) != 0 || setgid(user) != 0 || setuid(user) != 0 { fail(70, "can't become user \(user)") }
    var settings = read.settings
    if staysOpen { settings.entryPoint = EntryPoint(asked: STDOUT_FILENO, answering: STDIN_FILENO) }
    let cores = max(1, min(8, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    do throws(Failure) {
        try Proxy.run(settings, loops: cores) {}
    } catch {
        fail(70, "\(error.call) failed, error \(error.code)")
    }
} catch {
    fail(64, error.description)
}
