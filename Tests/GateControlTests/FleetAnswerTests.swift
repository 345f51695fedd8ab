import GateControl
import GateModel
import Testing

@Suite struct FleetAnswerTests {
    private func read(_ body: String, status: Int = 200) -> FleetAnswer {
        FleetAnswer(OutboundResponse(status: status, body: Array(body.utf8)))
    }

    @Test func `a good token has an owner and perhaps an instance`() throws {
        let owner = ID<User>.random()
        let instance = try #require(AgentID(rawValue: "i-0f"))
        #expect(
            read(#"{"valid":true,"owner_id":"\#(owner)","instance_id":"i-0f","instance_record_id":"r","more":[1]}"#)
                == .valid(VerifiedNode(owner: owner, instance: instance)))
        for none in [#","instance_id":"""#, #","instance_id":null"#, ""] {
            #expect(
                read(#"{"valid":true,"owner_id":"\#(owner.text.uppercased())"\#(none)}"#)
                    == .valid(VerifiedNode(owner: owner, instance: nil)))
        }
        // Somebody, and nobody who could be here.
        #expect(read(#"{"valid":true,"owner_id":"ada"}"#) == .valid(VerifiedNode(owner: nil, instance: nil)))
    }

    @Test(arguments: FleetAnswer.Reason.allCases)
    func `a refusal is one whatever its reason`(reason: FleetAnswer.Reason) {
        #expect(read(#"{"valid":false,"reason":"\#(reason.rawValue)","owner_id":"x"}"#) == .invalid(reason))
        #expect(read(#"{"valid":false,"reason":"never heard of"}"#) == .invalid(.other))
        #expect(read(#"{"valid":false}"#) == .invalid(.other))
    }

    @Test(arguments: [201, 204, 304, 400, 401, 404, 429, 500, 503])
    func `another status than 200 says nothing, whatever stands in the body`(status: Int) {
        #expect(read(#"{"valid":false}"#, status: status) == .unusable(.status))
        #expect(read(#"{"valid":true,"owner_id":"\#(ID<User>.random())"}"#, status: status) == .unusable(.status))
    }

    @Test(arguments: [
        "", "null", "true", "[]", "{}", "{", #"{"valid":"true"}"#, #"{"valid":1}"#, #"{"valid":null}"#,
        #"{"valid":true,"owner_id":7}"#, #"{"valid":false,"reason":7}"#, #"{"valid":true,"valid":"#,
    ])
    func `what isn't the agreed JSON is never a refusal`(body: String) {
        #expect(read(body) == .unusable(.notJSON))
    }

    @Test func `no owner, or an instance that could break a log, is no answer`() {
        for body in [#"{"valid":true}"#, #"{"valid":true,"owner_id":""}"#, #"{"valid":true,"owner_id":null}"#] {
            #expect(read(body) == .unusable(.noOwner))
        }
        for instance in ["a b", "-x", #"a\n"#, "../x", String(repeating: "a", count: 129)] {
            let body = #"{"valid":true,"owner_id":"\#(ID<User>.random())","instance_id":"\#(instance)"}"#
            #expect(read(body) == .unusable(.badInstance))
        }
    }

    @Test func `the shape of a node token`() {
        let good = "mcn_" + String(repeating: "a", count: 16)
        for text in [good, "mcn_" + String(repeating: "Z", count: 512), good + "-._~+/=9"] {
            #expect(NodeToken.isWellFormed(text), "\(text)")
        }
        for text in [
            "", "mcn_", "mcn_short", String(good.dropLast()), "mcn_" + String(repeating: "a", count: 513),
            "MCN_" + good.dropFirst(4), "x" + good, good + "\"", good + "\\", good + "\n", good + "ä", good + "\0",
            good + " ",
        ] { #expect(!NodeToken.isWellFormed(text), "\(text)") }
    }
}
