/// A command line that can't be understood.
struct UsageError: Error, CustomStringConvertible {
    var message: String
    var description: String { message }
}

/// One `--option` of a command.
struct Option: Sendable {
    var name: String
    /// What stands for its value in the help; nil for a flag.
    var value: String?
    var help: String
    /// The API's field or parameter that it sets.
    var field: String

    /// - Parameter field: the option's own name with underscores, unless it is given.
    init(name: String, value: String? = nil, help: String, field: String? = nil) {
        (self.name, self.value, self.help) = (name, value, help)
        self.field = field ?? name.replacing("-", with: "_")
    }
}

/// The words after a command's name, sorted into options and the rest.
struct Arguments: Sendable {
    private(set) var words: [String] = []
    private var values: [String: String] = [:]
    private var flags: Set<String> = []
    /// All that the command knows.
    let options: [Option]

    init(_ arguments: [String], options: [Option]) throws {
        self.options = options
        var rest = arguments[...]
        while let word = rest.popFirst(), word != "--" {
            if word.hasPrefix("-"), word.count > 1 { try take(word, of: options, &rest) } else { words.append(word) }
        }
        // Behind `--` nothing is an option.
        words += rest
    }

    /// - Parameter rest: the words behind it, of which the first may be its value.
    private mutating func take(_ word: String, of options: [Option], _ rest: inout ArraySlice<String>) throws {
        let pair = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let option = options.first(where: { "--\($0.name)" == pair[0] }) else {
            let known = options.map { "--\($0.name)" }.joined(separator: ", ")
            let meant = Suggestion.words(for: pair[0], among: options.map { "--\($0.name)" })
            throw UsageError(message: "unknown option \(pair[0]); known are \(known)\(meant)")
        }
        if option.value == nil {
            guard pair.count == 1 else { throw UsageError(message: "--\(option.name) takes no value") }
            flags.insert(option.name)
        } else if let value = pair.count == 2 ? pair[1] : rest.popFirst() {
            values[option.name] = value
        } else {
            throw UsageError(message: "--\(option.name) wants a value: \(option.value ?? "")")
        }
    }

    mutating func begin(with word: String) { words.insert(word, at: 0) }

    subscript(_ name: String) -> String? { values[name] }
    func has(_ flag: String) -> Bool { flags.contains(flag) }

    func integer(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
        guard let text = values[name] else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw UsageError(message: "--\(name) is \(text), expected \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// Refuses words beyond those that the command takes.
    func expect(_ names: String...) throws -> [String] {
        if words.count < names.count { throw UsageError(message: "\(names[words.count]) is missing") }
        if words.count > names.count { throw UsageError(message: "unexpected \(words[names.count])") }
        return words
    }
}
