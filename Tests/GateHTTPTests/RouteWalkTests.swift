import GateControl
import GateHTTP
import GateModel
import GatePanel
import GateTesting
import GateWire
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Testing

/// Every route × every kind of sender. The one kind missing here is the operator of admin.sock, whom the kernel vouches
/// for: it takes a real socket, and the black-box suite has one.
@Suite struct RouteWalkTests {
    @Test func `the table knows every route, and every route of the table is there`() async throws {
        let entries = try await TestAPI.make().entries
        for entry in entries { #expect(RouteTable.good(entry) != nil, "\(RouteTable.name(entry)) is in no table") }
        let names = Set(entries.map(RouteTable.name))
        for name in RouteTable.native.keys { #expect(names.contains(name), "\(name) is gone") }
        for name in RouteTable.dialects.keys {
            #expect(entries.contains { "\($0.method) \($0.path)" == name }, "\(name) is gone")
        }
        for name in RouteTable.pages.keys { #expect(names.contains(name), "\(name) is gone") }
        for root in ["/api/v1", "/api"] {
            #expect(
                Set(
                    entries.filter {
                        !RouteTable.isDialect($0) && $0.path.hasPrefix(root + "/")
                            && ($0.path.hasPrefix("/api/v1") == (root == "/api/v1"))
                    }
                    .map(RouteTable.name)) == Set(RouteTable.native.keys))
        }
    }

    @Test func `every route answers every sender as its kind of access says`() async throws {
        for entry in try await TestAPI.make().entries {
            let good = try #require(RouteTable.good(entry))
            var api = try await TestAPI.make()
            for sender in Sender.allCases {
                // Signing out, for one, is not to be done twice.
                if entry.path.contains("/auth/") || good.isForm && sender == .browser {
                    api = try await TestAPI.make()
                }
                let (api, sender) = (api, sender)
                let body = try await good.body?(api)
                let response = try await api.withClient { client in
                    try await client.execute(
                        uri: api.path(entry.path), method: .init(rawValue: entry.method) ?? .get,
                        headers: api.headers(sender, body == nil ? nil : good),
                        body: body.map { ByteBuffer(string: $0) })
                }
                let what = "\(entry.method) \(entry.path) by \(sender)"
                let status = RouteTable.status(entry, sender, good: good.status)
                if status < 400 {
                    #expect(response.status.code == status, "\(what): \(String(buffer: response.body))")
                } else if RouteTable.isDialect(entry), status != 401 {
                    #expect(response.status.code == status, "\(what)")
                } else {
                    expectProblem(response, status: status, what)
                }
                // Its name says which bytes it has.
                if entry.path != Panel.stylesheetPath { #expect(response.headers[.cacheControl] == "no-store") }
                #expect(response.headers[.xContentTypeOptions] == "nosniff")
                expectAbsent(api.bearers[sender], in: response, what)
            }
        }
    }

    @Test func `a refused sender changes nothing`() async throws {
        let api = try await TestAPI.make()
        for entry in api.entries where entry.access != .setupSecret && entry.method != "GET" {
            let good = try #require(RouteTable.good(entry))
            let body = try await good.body?(api)
            let before = try await api.gateway.storeContents()
            for sender in Sender.allCases where RouteTable.status(entry, sender, good: good.status) >= 400 {
                _ = try await api.withClient { client in
                    try await client.execute(
                        uri: api.path(entry.path), method: .init(rawValue: entry.method) ?? .get,
                        headers: api.headers(sender, body == nil ? nil : good),
                        body: body.map { ByteBuffer(string: $0) })
                }
            }
            #expect(try await api.gateway.storeContents() == before, "\(entry.method) \(entry.path)")
        }
    }

    @Test func `every path says which methods it takes`() async throws {
        let api = try await TestAPI.make()
        let methods: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options, .trace]
        for (path, entries) in Dictionary(grouping: api.entries, by: \.path) {
            let allowed = entries.map(\.method).sorted()
            for method in methods where !allowed.contains(method.rawValue) {
                for sender in [Sender.nobody, .administrator] {
                    let response = try await api.withClient { client in
                        try await client.execute(
                            uri: api.path(path), method: method, headers: api.headers(sender), body: nil)
                    }
                    expectProblem(response, status: 405, "\(method) \(path)")
                    #expect(response.headers[.allow] == allowed.joined(separator: ", "))
                }
            }
        }
    }

    @Test(arguments: [
        "/api", "/api/v1", "/api/v2/machines", "/nothing", "/api/v1/machines/a/b", "/healthz/x", "/panel/panel.css",
    ])
    func `a path that isn't there is a problem too`(path: String) async throws {
        let api = try await TestAPI.make()
        let response = try await api.withClient { client in
            try await client.execute(uri: path, method: .get, headers: [:], body: nil)
        }
        #expect(expectProblem(response, status: 404, path) == .notFound)
    }

    @Test func `admin-sock lets nobody in whose user the kernel doesn't name, secret or not`() async throws {
        let api = try await TestAPI.make()
        let minted = MintedCredential(.adminSecret)
        let mode = AuthenticationMode.adminSocket(
            secret: minted.digest, tenant: api.gateway.dependencies.identity.tenant, uid: 0)
        for bearer in [minted.text.reveal(), api.bearers[.administrator]] {
            for entry in api.api.routes(mode) {
                let response = try await api.withClient(mode) { client in
                    try await client.execute(
                        uri: api.path(entry.path), method: .init(rawValue: entry.method) ?? .get,
                        headers: [.authorization: "Bearer \(bearer ?? "")"], body: nil)
                }
                expectProblem(response, status: 401, "\(entry.method) \(entry.path)")
            }
        }
    }
}
