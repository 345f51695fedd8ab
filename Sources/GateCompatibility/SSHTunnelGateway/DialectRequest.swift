import FoundationEssentials
import GateModel
import Hummingbird

/// What an agent of the dialect asks. Unknown fields are ignored, as its own server does.
enum DialectRequest {
    case register(AgentID?)
    case heartbeat(AgentID)

    /// The answer to a body that asks for nothing we know.
    struct Refusal: Error {
        let response: Response
    }

    private struct Body: Decodable {
        var action: String?
        var agentID: Field

        enum CodingKeys: String, CodingKey {
            case action
            case agentID = "agent_id"
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            // An action of another type is as unknown as any other text.
            action = try? values.decodeIfPresent(String.self, forKey: .action)
            if !values.contains(.agentID) || (try? values.decodeNil(forKey: .agentID)) == true {
                agentID = .absent
            } else {
                agentID = (try? values.decode(String.self, forKey: .agentID)).map(Field.text) ?? .otherType
            }
        }
    }

    private enum Field {
        case absent, otherType
        case text(String)
    }

    init(json bytes: [UInt8]) throws(Refusal) {
        guard !bytes.isEmpty else {
            throw Refusal(response: DialectAnswer.invalid("missing", at: ["body"], "Field required"))
        }
        let body: Body
        do {
            guard String(validating: bytes, as: UTF8.self) != nil else { throw Malformed() }
            body = try JSONDecoder().decode(Body.self, from: Data(bytes))
        } catch DecodingError.typeMismatch {
            throw Refusal(
                response: DialectAnswer.invalid("dict_type", at: ["body"], "Input should be a valid dictionary"))
        } catch {
            throw Refusal(response: DialectAnswer.invalid("json_invalid", at: ["body"], "JSON decode error"))
        }
        let isRegister: Bool
        switch body.action {
        case "register": isRegister = true
        case "heartbeat": isRegister = false
        default:
            throw Refusal(response: DialectAnswer.error(422, "Invalid action. Use 'register' or 'heartbeat'"))
        }
        switch body.agentID {
        case .absent:
            guard isRegister else {
                throw Refusal(response: DialectAnswer.invalid("missing", at: ["agent_id"], "Field required"))
            }
            self = .register(nil)
        case .otherType:
            throw Refusal(
                response: DialectAnswer.invalid(
                    "string_type", at: ["agent_id"], "Input should be a valid string"))
        case .text(let text):
            guard let agentID = AgentID(rawValue: text) else {
                throw Refusal(
                    response: DialectAnswer.invalid(
                        "string_pattern_mismatch", at: ["agent_id"],
                        "String should match pattern '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$'"))
            }
            self = isRegister ? .register(agentID) : .heartbeat(agentID)
        }
    }

    private struct Malformed: Error {}
}
