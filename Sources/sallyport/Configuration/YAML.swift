import CYAML
import Model

/// A YAML text that is not what we read: its message has the line.
struct YAMLError: Error, CustomStringConvertible {
    var message: String
    var description: String { message }
}

/// Reads one YAML document by libyaml, without anchors, aliases and tags, and with the core schema's scalars
/// (YAML 1.2, section 10.3): `no` is a string, and Norway.
enum YAML {
    static func parse(_ text: String) throws -> Document {
        var parser = yaml_parser_t()
        guard yaml_parser_initialize(&parser) == 1 else { throw YAMLError(message: "no memory for a YAML parser") }
        defer { yaml_parser_delete(&parser) }
        let bytes = Array(text.utf8)
        return try bytes.withUnsafeBufferPointer { buffer in
            yaml_parser_set_input_string(&parser, buffer.baseAddress, buffer.count)
            var reader = Reader(parser: &parser)
            return try reader.document()
        }
    }

    private struct Reader {
        private enum Event {
            case scalar(String, isPlain: Bool)
            case sequenceStart, sequenceEnd, mappingStart, mappingEnd, documentEnd, streamEnd, other
        }

        private static let anchored = "anchors and tags are not read here"

        let parser: UnsafeMutablePointer<yaml_parser_t>
        private var line = 1
        private var depth = 0

        init(parser: UnsafeMutablePointer<yaml_parser_t>) { self.parser = parser }

        mutating func document() throws -> Document {
            while true {
                switch try next() {
                case .streamEnd: return .null
                case .other: continue
                case let event:
                    let value = try self.value(event)
                    guard case .documentEnd = try next() else { throw error("more than one value") }
                    guard case .streamEnd = try next() else { throw error("more than one document") }
                    return value
                }
            }
        }

        private mutating func value(_ event: Event) throws -> Document {
            depth += 1
            defer { depth -= 1 }
            guard depth < 32 else { throw error("nested too deeply") }
            switch event {
            case .scalar(let text, let isPlain): return isPlain ? Self.plain(text) : .string(text)
            case .sequenceStart: return .array(try items())
            case .mappingStart: return .object(try fields())
            default: throw error("a value is missing")
            }
        }

        private mutating func items() throws -> [Document] {
            var items: [Document] = []
            while true {
                let event = try next()
                if case .sequenceEnd = event { return items }
                items.append(try value(event))
            }
        }

        private mutating func fields() throws -> [String: Document] {
            var fields: [String: Document] = [:]
            while true {
                let event = try next()
                if case .mappingEnd = event { return fields }
                guard case .scalar(let key, _) = event else { throw error("a key that is not a word") }
                guard fields[key] == nil else { throw error("\(key) is given twice") }
                fields[key] = try value(try next())
            }
        }

        private mutating func next() throws -> Event {
            var event = yaml_event_t()
            guard yaml_parser_parse(parser, &event) == 1 else {
                let problem = parser.pointee.problem.map { String(cString: $0) } ?? "it can't be read"
                line = Int(parser.pointee.problem_mark.line) + 1
                throw error(problem)
            }
            defer { yaml_event_delete(&event) }
            line = Int(event.start_mark.line) + 1
            switch event.type {
            case YAML_SCALAR_EVENT:
                let scalar = event.data.scalar
                guard scalar.anchor == nil, scalar.tag == nil else { throw error(Self.anchored) }
                let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
                return .scalar(String(decoding: bytes, as: UTF8.self), isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
            case YAML_SEQUENCE_START_EVENT:
                guard event.data.sequence_start.anchor == nil, event.data.sequence_start.tag == nil else { throw error(Self.anchored) }
                return .sequenceStart
            case YAML_SEQUENCE_END_EVENT: return .sequenceEnd
            case YAML_MAPPING_START_EVENT:
                guard event.data.mapping_start.anchor == nil, event.data.mapping_start.tag == nil else { throw error(Self.anchored) }
                return .mappingStart
            case YAML_MAPPING_END_EVENT: return .mappingEnd
            case YAML_DOCUMENT_END_EVENT: return .documentEnd
            case YAML_STREAM_END_EVENT: return .streamEnd
            case YAML_ALIAS_EVENT: throw error("aliases are not read here")
            default: return .other
            }
        }

        private func error(_ message: String) -> YAMLError { YAMLError(message: "line \(line): \(message)") }

        static func plain(_ text: String) -> Document {
            switch text {
            case "", "~", "null", "Null", "NULL": return .null
            case "true", "True", "TRUE": return .bool(true)
            case "false", "False", "FALSE": return .bool(false)
            default: break
            }
            if let number = Int(text) { return .integer(number) }
            if text.first.map({ $0.isNumber || $0 == "-" || $0 == "." }) ?? false, let number = Double(text) { return .number(number) }
            return .string(text)
        }
    }

    /// What an environment variable's text would be as a plain scalar.
    static func scalar(_ text: String) -> Document { Reader.plain(text) }
}
