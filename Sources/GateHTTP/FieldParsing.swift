import GateControl
import GateModel
import GateSSH
import GateWire
import Hummingbird

/// Turns wire text into checked values, or names the field and the rule it broke.
enum Field {
    static func name<Name: CheckedName>(_ text: String, _ field: String, as type: Name.Type = Name.self) throws -> Name
    {
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
        if let text = request.uri.queryParameters["limit"] {
            guard let limit = Int(text), (1...1_000).contains(limit) else { throw Field.invalid("limit", "1 to 1000") }
            self.limit = limit
        } else {
            limit = 100
        }
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

private func percentEncoded(_ text: some StringProtocol) -> String {
    var encoded = ""
    for byte in text.utf8 {
        let scalar = Unicode.Scalar(byte)
        if byte < 0x80, scalar.properties.isAlphabetic || (0x30...0x39).contains(byte) || "-._~".utf8.contains(byte) {
            encoded.unicodeScalars.append(scalar)
        } else {
            let hex = String(byte, radix: 16, uppercase: true)
            encoded += "%" + (hex.count == 1 ? "0" : "") + hex
        }
    }
    return encoded
}
