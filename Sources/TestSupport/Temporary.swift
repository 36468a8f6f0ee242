import Platform

/// A folder for one test, gone when the test lets go of it.
package final class TemporaryFolder: Sendable {
    package let path: String

    package init() throws {
        // As the program does first: what a test kills must not take the tests along.
        Signals.ignorePipe()
        path = "/tmp/sp-\(Digest.randomHex(bytes: 4))"
        try Files.makePrivateFolder(path)
    }

    deinit { Files.remove(path) }
}
