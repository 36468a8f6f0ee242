import Glibc
import Platform

/// Colours of a terminal, by their number (ECMA-48, SGR).
enum Colour: Int, Sendable { case bold = 1, red = 31, green = 32, yellow = 33 }

/// Where people read: a terminal of some width, with or without colours, or a file that is neither.
struct Screen: Sendable, Equatable {
    /// Nil where no terminal is written to, and nothing is cut.
    var columns: Int?
    var hasColours: Bool

    /// Standard output.
    static var output: Screen { Screen(of: STDOUT_FILENO, ProcessEnvironment.values()) }
    /// A file, or a pipe to another program.
    static let file = Screen(columns: nil, hasColours: false)

    init(columns: Int?, hasColours: Bool) { (self.columns, self.hasColours) = (columns, hasColours) }

    /// `COLUMNS` counts more than what the terminal says. `NO_COLOR` with any content, and `TERM=dumb`, mean no colours (no-color.org).
    init(of descriptor: Int32, _ environment: [String: String]) {
        guard isatty(descriptor) == 1 else { (columns, hasColours) = (nil, false); return }
        columns = Self.width(of: descriptor, environment)
        hasColours = (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    }

    static func width(of descriptor: Int32, _ environment: [String: String]) -> Int {
        if let columns = environment["COLUMNS"].flatMap({ Int($0) }), columns > 0 { return columns }
        return Terminal.columns(of: descriptor) ?? 80
    }

    func painted(_ text: String, _ colour: Colour?) -> String {
        guard hasColours, let colour, !text.isEmpty else { return text }
        return "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m"
    }
}

/// Rows below heads, their columns aligned.
struct Table: Sendable {
    private let heads: [String]
    private let rows: [[String]]
    /// What is said instead of a table without rows.
    private let nothing: String

    init(_ heads: [String], _ rows: [[String]], nothing: String = "nothing") {
        (self.heads, self.rows, self.nothing) = (heads, rows, nothing)
    }

    /// Columns of free text, which may be cut; all others are names and figures, of which no part may be missing.
    private static let free: Set = [
        "REASON", "DETAILS", "WHAT", "LAST ERROR", "RESULT", "LIMITS", "URL", "COUNTRY", "CITY", "VALUE", "SCORE", "MESSAGE", "KEY FILE",
    ]
    /// Columns whose words have a colour.
    private static let coloured: Set = ["STATE", "SEVERITY", "RESULT"]
    /// The narrowest that a column is cut to.
    private static let least = 8

    /// Without a line end at its end.
    func text(_ screen: Screen = .output) -> String {
        guard !rows.isEmpty else { return nothing }
        let cut = screen.columns.map { fitting($0) } ?? rows
        let widths = Self.widths([heads] + cut)
        let lines =
            [heads.indices.map { screen.painted(padded(heads[$0], $0, widths), .bold) }]
            + cut.map { row in
                row.indices.map { column in
                    let colour = Self.coloured.contains(heads[column]) ? Self.colour(of: row[column]) : nil
                    return screen.painted(row[column], colour) + padding(row[column], column, widths)
                }
            }
        return lines.map { trimmed($0.joined(separator: "  ")) }.joined(separator: "\n")
    }

    /// The rows with the widest of the free columns cut as far as is needed, then the next.
    private func fitting(_ columns: Int) -> [[String]] {
        var rows = rows
        var excess = Self.widths([heads] + rows).reduce(0) { $0 + $1 + 2 } - 2 - columns
        var left = Set(heads.indices.filter { Self.free.contains(heads[$0]) })
        while excess > 0 {
            let widths = Self.widths([heads] + rows)
            guard let column = left.max(by: { (widths[$0], $1) < (widths[$1], $0) }) else { break }
            left.remove(column)
            let width = max(widths[column] - excess, Self.least, heads[column].count)
            for row in rows.indices where rows[row][column].count > width {
                rows[row][column] = String(rows[row][column].prefix(width - 1)) + "\u{2026}"
            }
            excess -= widths[column] - width
        }
        return rows
    }

    private static func widths(_ rows: [[String]]) -> [Int] {
        rows.reduce(into: [Int](repeating: 0, count: rows.first?.count ?? 0)) { widths, row in
            for column in row.indices { widths[column] = max(widths[column], row[column].count) }
        }
    }

    private func padded(_ text: String, _ column: Int, _ widths: [Int]) -> String { text + padding(text, column, widths) }

    /// Nothing behind the last column.
    private func padding(_ text: String, _ column: Int, _ widths: [Int]) -> String {
        column == heads.count - 1 ? "" : String(repeating: " ", count: widths[column] - text.count)
    }

    private func trimmed(_ line: String) -> String {
        var line = line[...]
        while line.last == " " { line.removeLast() }
        return String(line)
    }

    static func colour(of word: String) -> Colour? {
        switch word {
        case "serving", "active", "well", "delivered", "closed", "ready", "pass", "info": .green
        case "degraded", "draining", "pending", "starting", "verifying", "half_open", "failing", "warning": .yellow
        case "failed", "open", "disabled", "critical", "fault", "error": .red
        default: nil
        }
    }
}
