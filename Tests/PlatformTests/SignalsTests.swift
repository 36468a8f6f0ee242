import Glibc
import Platform
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct SignalsTests {
    @Test func `each signal arrives, on whatever thread it lands, and once for each stream`() async throws {
        let first = Signals.stream([SIGUSR1, SIGWINCH])
        let second = Signals.stream([SIGUSR1])
        var (ofFirst, ofSecond) = (first.makeAsyncIterator(), second.makeAsyncIterator())
        for _ in 0..<200 {
            // To the process as a whole, as an operator's `kill` is.
            kill(getpid(), SIGUSR1)
            #expect(await ofFirst.next() == SIGUSR1)
            #expect(await ofSecond.next() == SIGUSR1)
        }
        kill(getpid(), SIGWINCH)
        kill(getpid(), SIGUSR1)
        #expect(await ofSecond.next() == SIGUSR1)
        // Two signals that are pending at once may arrive in either order.
        #expect(Set([await ofFirst.next(), await ofFirst.next()]) == [SIGWINCH, SIGUSR1])
    }
}
