@preconcurrency import Glibc

/// What commands have printed.
enum StandardOutput {
    /// Writes what is still in the buffer. Returns an error's words where anything of it was lost (a full disk); nil where all was
    /// written, and where a reader went away first, as `head` does.
    static func finish() -> String? {
        let flushed = fflush(stdout)
        let reason = String(cString: strerror(errno))
        guard flushed != 0 || ferror(stdout) != 0 else { return nil }
        var reader = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
        if poll(&reader, 1, 0) > 0, reader.revents & Int16(POLLERR) != 0 { return nil }
        return "writing to standard output: \(flushed != 0 ? reason : "a part was not taken")"
    }
}
