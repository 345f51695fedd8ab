import GateControl
import GateModel
import GateSSH
import GateWire
import Hummingbird

/// Turns wire text into checked values, or names the field and the rule it broke.
package enum Field {
    package static func name<Name: CheckedName>(
        _ text: String, _ field: String, as type: Name.Type = Name.self
    ) throws -> Name {
        guard let name = Name(rawValue: text) else { throw invalid(field, Name.rule) }
        return name
    }

    static func optionalName<Name: CheckedName>(_ text: String?, _ field: String, as type: Name.Type = Name.self) throws
        -> Name?
    {
        try text.map { try name($0, field) }
    }

    static func label(_ text: String?, _ field: String) throws -> Label { try name(text ?? "", field) }

    static func tags(_ texts: [String]?, _ field: String = "tags") throws -> [Tag] {
        guard let texts else { return [] }
        guard texts.count <= Tag.limit else { throw invalid(field, "at most \(Tag.limit) tags") }
        return try texts.map { try name($0, field) }
    }

    /// Whole seconds in a range.
    static func seconds(_ value: Int?, _ field: String, _ range: ClosedRange<Int>, default standard: Int) throws
        -> Duration
    {
        let value = value ?? standard
        guard range.contains(value) else {
            throw invalid(field, "whole seconds from \(range.lowerBound) to \(range.upperBound)")
        }
        return .seconds(value)
    }

    /// One of an enumeration's names.
    static func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ text: String, _ field: String, as type: Choice.Type = Choice.self
    ) throws -> Choice {
        guard let choice = Choice(rawValue: text) else {
            throw invalid(field, "one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return choice
    }

    /// A label with something in it.
    static func filledLabel(_ text: String, _ field: String) throws -> Label {
        guard !text.isEmpty else { throw invalid(field, "not empty; \(Label.rule)") }
        return try name(text, field)
    }

    static func scopes(_ texts: [String]?, _ field: String = "scopes") throws -> Scopes? {
        try texts?.reduce(into: [] as Scopes) { scopes, text in
            guard let scope = Scopes(name: text) else {
                throw invalid(field, "one or more of \(Scopes.names.joined(separator: ", "))")
            }
            scopes.formUnion(scope)
        }
    }

    /// Addresses or blocks of them.
    static func blocks(_ texts: [String]?, _ field: String = "allow_from") throws -> [AddressBlock] {
        guard let texts else { return [] }
        guard texts.count <= TokenService.maximumBlocks else {
            throw invalid(field, "at most \(TokenService.maximumBlocks) blocks")
        }
        return try texts.map { text in
            guard let block = AddressBlock(text) else {
                throw invalid(field, "addresses or blocks such as 192.0.2.0/24 or 2001:db8::/32")
            }
            return block
        }
    }

    static func limit(_ request: Request) throws -> Int {
        guard let text = request.uri.queryParameters["limit"] else { return 100 }
        guard let limit = Int(text), (1...1_000).contains(limit) else { throw invalid("limit", "1 to 1000") }
        return limit
    }

    /// `true` or `false` in the query; absent is false.
    static func flag(_ request: Request, _ field: String) throws -> Bool {
        switch request.uri.queryParameters[field[...]] {
        case nil, "false"?: return false
        case "true"?: return true
        default: throw invalid(field, "true or false")
        }
    }

    static func publicKey(_ text: String, _ field: String = "public_key") throws -> SSHPublicKey {
        do { return try SSHPublicKey(parsing: text) } catch {
            throw Problem(.invalidField, "Field '\(field)': \(error.description)")
        }
    }

    /// RSA too: a key that an agent of another gateway holds.
    static func importedKey(_ text: String, _ field: String) throws -> SSHPublicKey {
        do { return try SSHPublicKey(importing: text) } catch {
            throw Problem(.invalidField, "Field '\(field)': \(error.description)")
        }
    }

    static func hostKeys(_ texts: [String], _ field: String = "host_keys") throws -> [SSHHostKey] {
        guard texts.count <= 8 else { throw invalid(field, "at most 8 host keys") }
        var keys: [SSHHostKey] = []
        for text in texts {
            do {
                keys.append(try SSHHostKey(parsing: text))
            } catch {
                throw Problem(.invalidField, "Field '\(field)': \(error.description)")
            }
        }
        return keys
    }

    static func invalid(_ field: String, _ rule: String) -> Problem {
        Problem(.invalidField, "Field '\(field)' is wrong; right would be: \(rule).")
    }
}

extension Request {
    func queryText(_ name: String) -> String? { uri.queryParameters[name[...]].map(String.init) }
}

extension RequestContext {
    /// A UUID of the path; what isn't one names nothing, so it answers as unknown.
    func id<Subject>(_ name: String, of subject: Subject.Type, else code: ProblemCode, _ detail: String) throws -> ID<
        Subject
    > {
        guard let text = parameters.get(name), let id = ID<Subject>(text) else { throw Problem(code, detail) }
        return id
    }

    /// An `agent_id` or machine id of the path.
    func machineName() throws -> String {
        guard let text = parameters.get("agent_id"), AgentID(rawValue: text) != nil else {
            throw Problem(.machineNotFound, "No such machine.")
        }
        return text
    }
}

/// `limit` and `after` of a list: the page after the item whose time and id the cursor holds.
struct Page<Subject> {
    let limit: Int
    let after: (at: Timestamp, id: ID<Subject>)?

    init(_ request: Request) throws {
        limit = try Field.limit(request)
        guard let cursor = request.uri.queryParameters["after"] else {
            after = nil
            return
        }
        let parts = cursor.split(separator: "~", omittingEmptySubsequences: false)
        guard parts.count == 2, let microseconds = Int64(parts[0]), let id = ID<Subject>(parts[1]) else {
            throw Field.invalid("after", "the cursor of a Link header")
        }
        after = (Timestamp(microseconds: microseconds), id)
    }

    /// `Link` (RFC 8288) to the next page, when this one is full.
    func link(_ request: Request, count: Int, last: (at: Timestamp, id: ID<Subject>)?) -> String? {
        guard count == limit, let last else { return nil }
        var query = request.uri.queryParameters.filter { $0.key != "after" }.map {
            "\($0.key)=\(percentEncoded($0.value))"
        }
        query.append("after=\(last.at.microseconds)~\(last.id)")
        return "<\(request.uri.path)?\(query.joined(separator: "&"))>; rel=\"next\""
    }
}
