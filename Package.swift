// swift-tools-version: 6.2
import Foundation
import PackageDescription

/// Every target is checked the same way: Swift 6 concurrency, explicit existentials and imports, no warning left standing.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// A target's own page is no source of it.
func documents(of name: String) -> [String] {
    FileManager.default.fileExists(atPath: "\(Context.packageDirectory)/Sources/\(name)/README.md") ? ["README.md"] : []
}

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, exclude: documents(of: name), swiftSettings: strict)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, exclude: documents(of: name), swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies + ["TestSupport"], swiftSettings: strict)
}

func system(_ name: String, apt: String) -> Target {
    .systemLibrary(name: name, providers: [.apt([apt])])
}

let package = Package(
    name: "sallyport",
    products: [
        .executable(name: "sallyport", targets: ["sallyport"]),
        .executable(name: "lab", targets: ["Lab"]),
        .executable(name: "exit-proxy", targets: ["exit-proxy"]),
    ],
    targets: [
        // C libraries of Debian, and the little C that wraps their variadic functions.
        system("CCurl", apt: "libcurl4-openssl-dev"),
        system("CHiredis", apt: "libhiredis-dev"),
        system("CMicroHTTPD", apt: "libmicrohttpd-dev"),
        system("COpenSSL", apt: "libssl-dev"),
        system("CYAML", apt: "libyaml-dev"),
        system("CZlib", apt: "zlib1g-dev"),
        .target(
            name: "CShims", dependencies: ["CCurl", "CMicroHTTPD"], linkerSettings: [.linkedLibrary("curl"), .linkedLibrary("microhttpd")]),
        // The one piece of C++: providers' lists by libsimdjson (apt: libsimdjson-dev).
        .target(name: "CListReader", linkerSettings: [.linkedLibrary("simdjson")]),

        // The proxy in each exit's container: no Foundation, and linked with all that it needs.
        .systemLibrary(name: "CLinux"),
        library("ExitProxy", ["CLinux"]),
        program("exit-proxy", ["ExitProxy"]),

        // Pure: values, and functions of values.
        library("Model"),
        library("Planning", ["Model"]),

        // The machine: log, processes, files, digests; and the two ends of HTTP.
        library("Platform", ["Model", "COpenSSL", "CShims", "CZlib"]),
        library("HTTPTransport", ["Model", "Platform", "CCurl", "CShims"]),
        library("HTTPServing", ["Model", "Platform", "CMicroHTTPD", "CShims"]),

        // One adapter for each part that runs outside this process.
        library("DockerEngine", ["Model", "Platform", "HTTPTransport"]),
        library("EngineGuard", ["Model", "Platform", "DockerEngine"]),
        library("HAProxyControl", ["Model", "Planning", "Platform"]),
        library("RedisStore", ["Model", "Platform", "CHiredis"]),
        library("Providers", ["Model", "Platform", "HTTPTransport", "CListReader"]),
        library("WireGuardFiles", ["Model", "Platform"]),
        library("Latency", ["Model", "Platform", "COpenSSL"]),
        library("Catalog", ["Model", "Planning", "Platform"]),

        // What Sallyport does, in terms of protocols that it declares itself.
        library("Control", ["Model", "Planning", "Platform"]),
        library("Webhooks", ["Model", "Planning", "Platform"]),

        // The parts of the HTTP API, and the API as their composition.
        library("AuditLog", ["Model", "Platform"]),
        library("TimeSeries", ["Model", "Platform"]),
        library("AccessControl", ["Model", "Platform", "HTTPServing"]),
        library("OpenAPI", ["Model", "HTTPServing"]),
        .target(
            name: "Dashboard", exclude: documents(of: "Dashboard") + ["Assets", "make-map"], swiftSettings: strict, plugins: ["EmbedPlugin"]
        ),
        .plugin(name: "EmbedPlugin", capability: .buildTool(), dependencies: ["EmbedTool"], path: "Sources/EmbedPlugin"),
        program("EmbedTool", []),
        library("EventStreams", ["Model", "Platform", "HTTPServing", "AccessControl"]),
        library(
            "RequestPipeline", ["Model", "Platform", "HTTPServing", "AuditLog", "AccessControl", "OpenAPI", "EventStreams"]),
        library(
            "API",
            [
                "Model", "Platform", "HTTPServing", "AuditLog", "TimeSeries", "AccessControl", "OpenAPI", "EventStreams", "RequestPipeline",
                "Dashboard",
            ]),

        // The only places where concrete parts meet.
        program(
            "sallyport",
            [
                "Model", "Planning", "Platform", "HTTPTransport", "HTTPServing", "DockerEngine", "EngineGuard", "HAProxyControl",
                "RedisStore", "Providers", "WireGuardFiles", "Latency", "Catalog", "Control", "Webhooks", "AuditLog", "TimeSeries",
                "AccessControl",
                "OpenAPI", "EventStreams",
                "RequestPipeline", "API",
                "CYAML",
            ]),
        program("CatalogBench", ["Model", "Planning", "Platform", "Providers", "Latency"]),
        program("Lab", ["Model", "Platform", "HTTPServing", "HTTPTransport", "DockerEngine"]),

        library("TestSupport", ["Model", "Platform", "HTTPTransport"]),
        tests("ExitProxyTests", ["ExitProxy"]),
        tests("ModelTests", ["Model"]),
        tests("PlanningTests", ["Model", "Planning"]),
        tests("PlatformTests", ["Platform", "Model"]),
        tests("WireGuardFileTests", ["WireGuardFiles", "Model", "Platform"]),
        tests("HTTPTests", ["HTTPServing", "HTTPTransport", "Model", "Platform"]),
        tests(
            "AdapterTests",
            [
                "DockerEngine", "HAProxyControl", "RedisStore", "Providers", "Latency", "Catalog", "HTTPServing", "HTTPTransport",
                "Planning", "AuditLog", "TimeSeries", "AccessControl", "EventStreams", "RequestPipeline", "API", "Control", "Webhooks",
                "Lab", "sallyport",
                "Model", "Platform", "ExitProxy", "OpenAPI", "WireGuardFiles",
            ]),
        tests("EngineGuardTests", ["EngineGuard", "DockerEngine", "HTTPTransport", "Model", "Platform"]),
        tests("ControlTests", ["Control", "Planning", "Model", "Platform"]),
        tests(
            "APITests",
            [
                "API", "AuditLog", "TimeSeries", "AccessControl", "OpenAPI", "EventStreams", "RequestPipeline", "Dashboard", "HTTPServing",
                "HTTPTransport", "Model", "Platform",
            ]),
        tests(
            "CommandTests",
            [
                "sallyport", "AccessControl", "RequestPipeline", "API", "Control", "HTTPServing", "HTTPTransport", "Model", "Platform",
                "Providers", "RedisStore", "WireGuardFiles",
            ]),
        tests("LabTests", ["Lab", "Latency", "DockerEngine", "EngineGuard", "HTTPServing", "HTTPTransport", "Model", "Platform"]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
