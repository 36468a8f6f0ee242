/// On whose behalf something is done: carried along with a request, so that an event can say who asked for it.
package enum Originator {
    /// The name of an API key, or of a command; nil for what nobody asked for. Never a secret.
    @TaskLocal package static var current: String?
}
