// swift-tools-version: 6.2
import PackageDescription

// What our own code is held to. Dependencies are built with their own settings.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "tidegate",
    products: [
        .executable(name: "tidegate", targets: ["tidegate"]),
        .executable(name: "tidegate-agent", targets: ["tidegate-agent"]),
        .executable(name: "tidegate-keys", targets: ["tidegate-keys"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        .target(name: "GateModel", swiftSettings: strict),
        .target(
            name: "GateSSH",
            dependencies: ["GateModel", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: strict),
        .target(name: "GateWire", dependencies: ["GateModel"], swiftSettings: strict),
        // Each migration is a file per engine, embedded so that the program carries its schema inside itself.
        .target(
            name: "GateStore",
            dependencies: ["GateModel"],
            exclude: ["schema.sql"],
            resources: [
                .embedInCode("Migrations/0001-initial.sqlite.sql"),
                .embedInCode("Migrations/0002-shared-key-agents.sqlite.sql"),
                .embedInCode("Migrations/0003-tunnel-key-owner.sqlite.sql"),
                .embedInCode("Migrations/0004-access.sqlite.sql"),
                .embedInCode("Migrations/0005-ws-ticket.sqlite.sql"),
                .embedInCode("Migrations/0006-audit-seals.sqlite.sql"),
                .embedInCode("Migrations/0007-sign-in.sqlite.sql"),
                .embedInCode("Migrations/0008-outside-identities.sqlite.sql"),
                .embedInCode("Migrations/0009-proxies.sqlite.sql"),
            ],
            swiftSettings: strict),
        .target(
            name: "GateStoreSQLite",
            dependencies: ["GateModel", "GateStore", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: strict),
        .target(
            name: "GateControl",
            dependencies: [
                "GateModel", "GateSSH", "GateStore",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        // Upgrade and framing; knows nothing of the product.
        .target(
            name: "GateWebSocket",
            dependencies: [
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .target(
            name: "GateOutbound",
            dependencies: [
                "GateModel", "GateControl",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: strict),
        .target(
            name: "GateHTTP",
            dependencies: [
                "GateModel", "GateControl", "GateSSH", "GateStore", "GateWire", "GateWebSocket",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            resources: [.embedInCode("openapi.yaml")],
            swiftSettings: strict),
        // Other people's dialects, and nothing else.
        .target(
            name: "GateCompatibility",
            dependencies: [
                "GateModel", "GateControl", "GateHTTP", "GateSSH",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: strict),
        // Pages for people before a browser; templates and stylesheet are compiled in.
        .target(
            name: "GatePanel",
            dependencies: [
                "GateModel", "GateControl", "GateHTTP", "GateWire",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Mustache", package: "swift-mustache"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            resources: [
                .embedInCode("panel.css"),
                .embedInCode("Templates/layout.mustache"),
                .embedInCode("Templates/said.mustache"),
                .embedInCode("Templates/sign-in.mustache"),
                .embedInCode("Templates/sign-in-code.mustache"),
                .embedInCode("Templates/account.mustache"),
                .embedInCode("Templates/second-factor.mustache"),
                .embedInCode("Templates/recovery-codes.mustache"),
                .embedInCode("Templates/device.mustache"),
                .embedInCode("Templates/device-request.mustache"),
                .embedInCode("Templates/decided.mustache"),
                .embedInCode("Templates/refusal.mustache"),
            ],
            swiftSettings: strict),
        .target(
            name: "GateLog", dependencies: ["GateModel", .product(name: "Logging", package: "swift-log")],
            swiftSettings: strict),
        .target(name: "CGateSys", cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]),
        .target(name: "GateProcess", dependencies: ["CGateSys"], swiftSettings: strict),
        .target(
            name: "GateSSHServer",
            dependencies: [
                "GateModel", "GateSSH", "GateControl", "GateProcess",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .target(
            name: "GateClient",
            dependencies: [
                "GateModel", "GateWire", "GateSSH", "GateProcess",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .target(
            name: "GateCommands",
            dependencies: [
                "GateModel", "GateClient", "GateWire", "GateSSH", "GateProcess",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .target(
            name: "GateAgent",
            dependencies: [
                "GateModel", "GateSSH", "GateClient", "GateWire", "GateProcess",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "tidegate",
            dependencies: [
                "GateModel", "GateSSH", "GateStore", "GateStoreSQLite", "GateControl", "GateHTTP", "GateCompatibility",
                "GateOutbound", "GatePanel", "GateSSHServer", "GateProcess", "GateLog", "GateWire", "GateCommands",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "tidegate-agent",
            dependencies: [
                "GateLog", "GateModel", "GateAgent", "GateClient", "GateProcess", "GateSSH",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        // sshd runs this at each login, as root's own choice of program: no Foundation, no shared Swift runtime.
        .executableTarget(
            name: "tidegate-keys",
            swiftSettings: strict + [.unsafeFlags(["-static-executable"])],
            linkerSettings: [.unsafeFlags(["-static-executable"])]),
        // The benchmarks' own client and trivial server: the C library alone, so that it costs less than what it measures.
        .executableTarget(name: "tidegate-load", path: "benchmarks/load", swiftSettings: strict),
        .target(
            name: "GateTesting",
            dependencies: [
                "GateModel", "GateSSH", "GateStore", "GateStoreSQLite", "GateControl",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(name: "GateStoreTesting", dependencies: ["GateModel", "GateStore"], swiftSettings: strict),
        .testTarget(
            name: "GateCommandsTests",
            dependencies: [
                "GateModel", "GateClient", "GateWire", "GateSSH", "GateCommands",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .testTarget(name: "GateModelTests", dependencies: ["GateModel", "GateTesting"], swiftSettings: strict),
        .testTarget(name: "GateWireTests", dependencies: ["GateModel", "GateWire"], swiftSettings: strict),
        .testTarget(
            name: "GateControlTests",
            dependencies: [
                "GateModel", "GateSSH", "GateStore", "GateControl", "GateTesting",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "GateHTTPTests",
            dependencies: [
                "GateModel", "GateSSH", "GateStore", "GateControl", "GateHTTP", "GateCompatibility", "GatePanel",
                "GateTesting", "GateWire",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "GatePanelTests",
            dependencies: [
                "GateModel", "GateStore", "GateControl", "GateHTTP", "GatePanel", "GateTesting", "GateWire",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "GateWebSocketTests",
            dependencies: [
                "GateWebSocket",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "GateCompatibilityTests",
            dependencies: [
                "GateModel", "GateSSH", "GateStore", "GateControl", "GateHTTP", "GateCompatibility", "GateTesting",
                "GateWire",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "GateOutboundTests",
            dependencies: [
                "GateModel", "GateControl", "GateOutbound", "GateProcess", "GateTesting",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: strict),
        .testTarget(name: "GateProcessTests", dependencies: ["GateProcess"], swiftSettings: strict),
        .testTarget(
            name: "GateSSHServerTests", dependencies: ["GateControl", "GateProcess", "GateSSHServer"],
            swiftSettings: strict),
        .testTarget(name: "GateSSHTests", dependencies: ["GateModel", "GateSSH"], swiftSettings: strict),
        .testTarget(name: "GateStoreTests", dependencies: ["GateModel", "GateStore"], swiftSettings: strict),
        .testTarget(
            name: "GateStoreSQLiteTests",
            dependencies: ["GateModel", "GateStore", "GateStoreSQLite", "GateStoreTesting"],
            swiftSettings: strict),
        .testTarget(
            name: "GateClientTests",
            dependencies: [
                "GateClient", "GateModel", "GateWire",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "GateAgentTests",
            dependencies: ["GateAgent", "GateClient", "GateModel", "GateProcess", "GateSSH", "GateWire"],
            swiftSettings: strict),
    ]
)
