/// What everybody tries first.
enum PasswordPatterns {
    /// Three neighbours of a keyboard's rows and columns, in both directions.
    static let rows: Set<[UInt8]> = {
        let rows = [
            "qwertyuiopasdfghjklzxcvbnmqwe", "qwertzuiopasdfghjklyxcvbnm", "azertyuiopqsdfghjklmwxcvbn", "12345678901234567890",
            "!@#$%^&*()_+", "!\"$%&/()=?", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "qazwsxedcrfvtgbyhnujmikolp",
            "zaq1xsw2cde3vfr4bgt5nhy6mju7",
            "147258369", "159357", "741852963", "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0", "qpwoeirutyalskdjfhgzmxncbv",
        ].map { Array($0.utf8) }
        return Set(
            rows.flatMap { row in
                (0...row.count - 3).flatMap { [Array(row[$0..<$0 + 3]), row[$0..<$0 + 3].reversed()] }
            })
    }()

    /// In lower case; signs that are written for letters count as these.
    static let words = [
        "password", "passwort", "passw", "passphrase", "passcode", "secret", "geheim", "admin", "administrator", "root", "login", "welcome",
        "willkommen", "letmein", "iloveyou", "monkey", "dragon", "master", "sunshine", "princess", "football", "baseball", "basketball",
        "shadow", "superman", "batman", "trustno", "access", "hello", "hallo", "whatever", "starwars", "pokemon", "michael", "jordan",
        "charlie", "jessica", "daniel", "thomas", "test", "guest", "user", "default", "changeme", "change", "proxy", "sallyport", "gateway",
        "server", "computer", "internet", "google", "facebook", "microsoft", "windows", "linux", "ubuntu", "debian", "docker", "oracle",
        "cisco", "router", "network", "security", "private", "public", "example", "sample", "temp", "demo", "qwerty", "qwertz", "azerty",
        "asdf", "zxcv", "abcd", "love", "lovely", "angel", "freedom", "summer", "winter", "spring", "autumn", "sommer", "herbst", "january",
        "february", "march", "april", "august", "september", "october", "november", "december", "monday", "friday", "sunday", "america",
        "london", "berlin", "chelsea", "liverpool", "arsenal", "yankees", "ranger", "hunter", "killer", "cookie", "cheese", "banana",
        "flower", "soccer", "hockey", "mustang", "harley", "ferrari", "porsche", "corvette", "matrix", "ninja", "samsung", "iphone",
        "android", "apple", "please", "nothing", "money", "diamond", "silver", "golden", "chocolate", "butterfly", "swordfish",
        "opensesame", "blink", "maggie", "ashley", "nicole", "andrew", "joshua", "matthew", "robert", "george", "jennifer", "michelle",
    ].map { Array($0.utf8) }

    static let letters: [UInt8: UInt8] = {
        let pairs: [(Character, Character)] = [
            ("0", "o"), ("1", "i"), ("3", "e"), ("4", "a"), ("5", "s"), ("7", "t"), ("8", "b"), ("@", "a"), ("$", "s"), ("!", "i"),
            ("|", "l"),
            ("+", "t"), ("(", "c"),
        ]
        return Dictionary(
            uniqueKeysWithValues: pairs.compactMap { sign, letter in
                sign.asciiValue.flatMap { sign in letter.asciiValue.map { (sign, $0) } }
            })
    }()
}
