import Foundation

// EmbedTool OUTPUT NAME=FILE...: writes a Swift file with the bytes of each file as base64.

var text = """
    /// Each file's path in the folder, and its bytes as base64.
    let embeddedFiles: [(path: String, base64: StaticString)] = [

    """
for argument in CommandLine.arguments.dropFirst(2) {
    let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: parts[1]))
    text += "    (\"\(parts[0])\", \"\(bytes.base64EncodedString())\"),\n"
}
try (text + "]\n").write(toFile: CommandLine.arguments[1], atomically: true, encoding: .utf8)
