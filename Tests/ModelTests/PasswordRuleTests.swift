@testable import Model
import Testing

@Suite struct PasswordRuleTests {
    @Test(
        arguments: [
            "aaaaaaaaaaaa", "AAAAAAAAAAAAAAAAAAAAAAAA", "abababababab", "abcabcabcabc", "abcdabcdabcd", "123412341234", "xK9!xK9!xK9!",
            "AbCaBcAbCaBc",
            "abcdefghijkl", "lkjihgfedcba", "123456789012", "210987654321", "acegikmoqsuw", "aabbccddeeff", "111222333444", "qwertyuiopas",
            "asdfghjklzxc", "poiuytrewqas", "1qaz2wsx3edc", "qazwsxedcrfv", "147258369147", "1q2w3e4r5t6y", "!@#$%^&*()_+", "qwertzuiopas",
            "password1234", "Password123!", "P@ssw0rd1234", "passwordpassword", "adminadmin12", "letmein12345", "iloveyou2026",
            "Welcome2026!",
            "Summer2026!!", "Winter202526", "changeme1234", "secretsecret", "hunter2hunter2", "qwerty123456", "abc123abc123",
            "a1b2c3a1b2c3",
            "000000000001", "aaaaaabbbbbb", "121212121212", "112233445566", "tobeornottobeornot".replacing("ornot", with: "or"),
            "zyxzyxzyxzyx",
            "monkey123456", "dragon!dragon", "20242025202620272028", "01012020010120", "........!!!!", "abcdeedcbaab", "Sallyport2026",
            "test-test-test",
        ])
    func `a password that is weaker than its length suggests is refused, and not repeated`(password: String) throws {
        let problem = try #require(PasswordRule.problem(with: password))
        #expect(problem.contains("12 random characters") && !problem.lowercased().contains(password.lowercased()))
    }

    @Test(
        arguments: [
            "correct-horse-battery", "a-password-of-the-tests", "h3Wq9ZtYp2mX", "k7#Vd2!mQz9x", "482915730264", "vK2mzPqLw8xTnB4c",
            "Tr0ub4dor&3-lantern",
            "eiderdown-quartz-lamppost", "9f86d081884c7d65", "ich-mag-gruene-katzen", "9z1Xc0Vb2Nm8",
        ])
    func `one that is hard to guess is taken`(password: String) { #expect(PasswordRule.problem(with: password) == nil) }

    @Test(arguments: [
        "short", "", "with a space", "eleven-char", "line\nbreak-line", "umlaut-ä-umlaut", "nul\0nul-nul-nul",
        String(repeating: "xK9", count: 43),
    ])
    func `one of another form is refused`(password: String) { #expect(PasswordRule.problem(with: password) != nil) }

    @Test(arguments: [("alice", "xK2-alice-9vQm"), ("alice", "ALICE9vQmxK27"), ("alice", "9vQ-4l1c3-xK27m"), ("bob", "bobXk29vQm7Lw")])
    func `the user's own name is no part of a password`(name: String, password: String) {
        #expect(PasswordRule.problem(with: password, of: name)?.contains("user's name") == true)
        #expect(PasswordRule.problem(with: password, of: "zz") == nil)
    }

    @Test func `random words pass, whatever their letters are`() {
        var generator = SplitMix64(state: 3)
        let letters = Array("abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789")
        let refused = (0..<2000).count { _ in
            PasswordRule.problem(with: String((0..<16).compactMap { _ in letters.randomElement(using: &generator) })) != nil
        }
        #expect(refused == 0)
    }

    @Test func `a key that a person wrote is as strong as its length`() {
        for key in [
            String(repeating: "a", count: 64), String(repeating: "abcdef", count: 8), String(repeating: "0123456789", count: 4), "short",
            String(repeating: "password", count: 5), String(repeating: "xK9!zQ", count: 8), "h3Wq9ZtYp2mXc7RvLk4NbJd8FgSa5He UyT6oQiEwKzM",
        ] { #expect(PasswordRule.problem(withKey: key) != nil, "\(key)") }
        for key in [
            "h3Wq9ZtYp2mXc7RvLk4NbJd8FgSa5HeUyT6oQiEwKzM", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "d41d8cd98f00b204e9800998ecf8427e",
        ] { #expect(PasswordRule.problem(withKey: key) == nil, "\(key)") }
    }
}
