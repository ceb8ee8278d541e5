// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

/// What only vaults in PostgreSQL and object stores need: 'swift build --disable-default-traits' leaves it out.
let engines = "Engines"

let lua = LinkerSetting.linkedLibrary("lua5.4")

let package = Package(
    name: "minivault",
    products: [
        .executable(name: "minivault", targets: ["minivault"]),
        .library(name: "vault", type: .dynamic, targets: ["LuaModule"]),
    ],
    traits: [
        .trait(name: engines, description: "Vaults in PostgreSQL and object stores, which many servers share."),
        .default(enabledTraits: [engines]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    ],
    targets: [
        .target(name: "CChunker"),
        .target(
            name: "VaultModel",
            dependencies: ["CChunker", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: strict
        ),
        .target(name: "CSQLite", linkerSettings: [.linkedLibrary("sqlite3")]),
        .target(
            name: "VaultStore",
            dependencies: [
                "CSQLite",
                "VaultModel",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: strict
        ),
        .target(name: "CPostgres"),
        .target(
            name: "VaultEngines",
            dependencies: [
                "CPostgres",
                "VaultModel",
                "VaultStore",
                .product(
                    name: "AsyncHTTPClient", package: "async-http-client", condition: .when(traits: [engines])),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "VaultWire",
            dependencies: [
                "VaultModel",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            exclude: ["Messages/minivault.proto"],
            swiftSettings: strict
        ),
        .target(
            name: "VaultTransport",
            dependencies: [
                "VaultModel",
                "VaultWire",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "VaultServer",
            dependencies: [
                "VaultModel",
                "VaultStore",
                "VaultTransport",
                "VaultWire",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "VaultClient",
            dependencies: [
                "VaultModel",
                "VaultTransport",
                "VaultWire",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "VaultAccess", dependencies: ["VaultClient", "VaultModel", "VaultStore", "VaultWire"],
            swiftSettings: strict),
        // Whoever links this says whose Lua it is: liblua5.4's, or that of the program that loads the module.
        .target(name: "CLua"),
        .target(name: "LuaEngine", dependencies: ["CLua"], swiftSettings: strict),
        .target(
            name: "VaultLua",
            dependencies: ["CProcess", "LuaEngine", "VaultModel", .product(name: "Crypto", package: "swift-crypto")],
            resources: [
                // What is written in Lua.
                .embedInCode("Bindings/prelude.lua"), .embedInCode("Hooks/hooks.lua"),
                .embedInCode("Hooks/sandbox.lua"), .embedInCode("Prompt/values.lua"),
                .embedInCode("Prompt/help.lua"), .embedInCode("Prompt/completion.lua"),
                .embedInCode("Prompt/commands.lua"), .embedInCode("Prompt/locals.lua"),
                // What 'minivault help lua' prints.
                .embedInCode("Documentation.docc/Tutorial.md"), .embedInCode("Documentation.docc/Scripts.md"),
                .embedInCode("Documentation.docc/Hooks.md"),
            ],
            swiftSettings: strict
        ),
        .target(name: "CProcess"),
        .target(name: "CTerminal"),
        .target(name: "LineEditor", dependencies: ["CTerminal", "VaultLua", "VaultModel"], swiftSettings: strict),
        .target(name: "CLuaModule"),
        .target(
            name: "LuaModule", dependencies: ["CLuaModule", "LuaEngine", "VaultAccess", "VaultLua", "VaultModel"],
            swiftSettings: strict,
            // The threads of the module outlive the lua_State, at whose end Lua unloads what it has loaded.
            linkerSettings: [.unsafeFlags(["-Xlinker", "-z", "-Xlinker", "nodelete"])]),
        .executableTarget(
            name: "minivault",
            dependencies: [
                "CProcess",
                "LineEditor",
                "LuaEngine",
                "VaultAccess",
                "VaultClient",
                .target(name: "VaultEngines", condition: .when(traits: [engines])),
                "VaultLua",
                "VaultModel",
                "VaultServer",
                "VaultStore",
                "VaultTransport",
                "VaultWire",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict,
            linkerSettings: [lua]
        ),
        .target(
            name: "TestSupport",
            dependencies: [
                "CProcess", "VaultClient", "VaultEngines", "VaultModel", "VaultServer", "VaultStore", "VaultTransport",
                "VaultWire",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Tests/Support", exclude: ["clock.c", "refusals.c"], swiftSettings: strict),
        .target(
            name: "FuzzSupport", dependencies: ["VaultModel"], path: "Tests/Fuzzing/FuzzSupport", swiftSettings: strict),
        .target(
            name: "VaultWireFuzzing",
            dependencies: [
                "FuzzSupport", "VaultModel", "VaultWire", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            path: "Tests/Fuzzing/VaultWireFuzzing", swiftSettings: strict),
        .target(
            name: "VaultStoreFuzzing",
            dependencies: [
                "FuzzSupport", "VaultModel", "VaultStore", .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            path: "Tests/Fuzzing/VaultStoreFuzzing", swiftSettings: strict),
        .target(
            name: "VaultEnginesFuzzing",
            dependencies: [
                "FuzzSupport", "VaultEngines", "VaultModel", "VaultStore",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Tests/Fuzzing/VaultEnginesFuzzing", swiftSettings: strict),
        .target(
            name: "MinivaultFuzzing",
            dependencies: [
                "FuzzSupport", "LuaEngine", "VaultLua", "VaultModel", "VaultWire", "VaultWireFuzzing",
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            path: "Tests/Fuzzing/MinivaultFuzzing", swiftSettings: strict),
        .testTarget(
            name: "VaultModelTests", dependencies: ["CChunker", "TestSupport", "VaultModel", "VaultStore"],
            swiftSettings: strict),
        .testTarget(
            name: "VaultStoreTests",
            dependencies: [
                "FuzzSupport", "TestSupport", "VaultClient", "VaultEngines", "VaultModel", "VaultStore",
                "VaultStoreFuzzing", "minivault",
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            exclude: ["Corpus"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "VaultWireTests",
            dependencies: [
                "FuzzSupport",
                "TestSupport",
                "VaultModel",
                "VaultWire",
                "VaultWireFuzzing",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            exclude: ["Corpus", "Login/scram_peer.py"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "VaultClientTests",
            dependencies: [
                "TestSupport",
                "VaultClient",
                "VaultModel",
                "VaultServer",
                "VaultWire",
                "minivault",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "VaultEnginesTests",
            dependencies: [
                "FuzzSupport", "TestSupport", "VaultClient", "VaultEngines", "VaultEnginesFuzzing", "VaultModel",
                "VaultServer", "VaultStore", "minivault",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            exclude: ["Corpus"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "VaultTransportTests",
            dependencies: [
                "TestSupport", "VaultTransport", "VaultWire", .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "VaultServerTests",
            dependencies: [
                "TestSupport",
                "VaultModel",
                "VaultServer",
                "VaultStore",
                "VaultWire",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "LineEditorTests", dependencies: ["LineEditor", "VaultModel"], swiftSettings: strict,
            linkerSettings: [lua]),
        .testTarget(
            name: "LuaEngineTests", dependencies: ["LuaEngine"], swiftSettings: strict, linkerSettings: [lua]),
        .testTarget(
            name: "VaultLuaTests",
            dependencies: ["LuaEngine", "VaultLua", "VaultModel", "VaultStore"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "MinivaultTests",
            dependencies: [
                "CProcess", "FuzzSupport", "MinivaultFuzzing", "TestSupport", "VaultClient", "VaultLua", "VaultModel",
                "VaultServer", "VaultStore", "VaultWire",
                "minivault",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            exclude: ["Corpus", "Hooks/confinement.c", "filter.c"],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "LuaEngineBenchmark",
            dependencies: ["LuaEngine"],
            path: "Tests/Benchmarks/LuaEngineBenchmark",
            swiftSettings: strict,
            linkerSettings: [lua]
        ),
        .target(name: "CChunkerCandidates", path: "Tests/Benchmarks/CChunkerCandidates"),
        .executableTarget(
            name: "ChunkerBenchmark",
            dependencies: ["CChunker", "CChunkerCandidates", "VaultModel"],
            path: "Tests/Benchmarks/ChunkerBenchmark",
            exclude: ["make-versions.py"],
            swiftSettings: strict
        ),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c11
)

// The fuzzer is built by scripts/fuzz only, since it links libFuzzer, which comes with flags for the whole build.
if Context.environment["MINIVAULT_FUZZ"] != nil {
    package.targets += [
        .systemLibrary(name: "CLibFuzzer", path: "Tests/Fuzzing/CLibFuzzer"),
        .executableTarget(
            name: "Fuzzer",
            dependencies: [
                "CLibFuzzer", "FuzzSupport", "MinivaultFuzzing", "VaultEnginesFuzzing", "VaultStoreFuzzing",
                "VaultWireFuzzing",
            ],
            path: "Tests/Fuzzing/Fuzzer", swiftSettings: strict, linkerSettings: [lua]),
    ]
}
