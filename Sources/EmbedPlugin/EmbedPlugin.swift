import Foundation
import PackagePlugin

/// Writes the files of a target's `Assets` folder into a Swift file of that target.
@main struct EmbedPlugin: BuildToolPlugin {
    /// Extensions of the files that are embedded.
    private static let kinds: Set = ["html", "css", "js", "json", "svg", "png", "woff2"]

    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        var files = files(in: target.directoryURL.appending(path: "Assets"))
        // The world's map is made before the build from a Debian package; without it the dashboard draws dots alone.
        let map = context.package.directoryURL.appending(path: ".build/dashboard/world.json")
        if FileManager.default.fileExists(atPath: map.path) { files["world.json"] = map }
        let output = context.pluginWorkDirectoryURL.appending(path: "EmbeddedFiles.swift")
        // Each file is an argument: one that comes or goes is another command, which runs anew.
        let arguments = files.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.path)" }
        return [
            .buildCommand(
                displayName: "Embedding the files of \(target.name)", executable: try context.tool(named: "EmbedTool").url,
                arguments: [output.path] + arguments, inputFiles: files.values.sorted { $0.path < $1.path }, outputFiles: [output])
        ]
    }

    /// The files below a folder by their paths in it.
    private func files(in folder: URL) -> [String: URL] {
        let found = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil, options: [.skipsHiddenFiles])
        let root = folder.standardizedFileURL.path + "/"
        var files: [String: URL] = [:]
        for case let url as URL in found ?? .init() where Self.kinds.contains(url.pathExtension) {
            files[String(url.standardizedFileURL.path.dropFirst(root.count))] = url
        }
        return files
    }
}
