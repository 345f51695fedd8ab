import GateCommands
import GateModel
import GateWire
import Testing

@Suite struct TableTests {
    @Test func columnsAreAlignedAndLinesEndInText() {
        var table = Table(["NAME", "SITE", "PORT"])
        table.add(["build-7", "", "20017"])
        table.add(["x", "東京", "1"])
        #expect(
            table.text() == """
                NAME     SITE  PORT
                build-7  -     20017
                x        東京  1

                """)
    }

    @Test func hostileTextCannotMoveTheCursorOrBreakALine() {
        var table = Table(["NAME", "SYSTEM"])
        table.add(["a\u{1B}]0;owned\u{7}", "Linux\nroot  yes\u{9B}31m\u{202E}"])
        let text = table.text()
        #expect(text.split(separator: "\n").count == 2)
        #expect(!text.unicodeScalars.contains { isUnprintable($0) && $0 != "\n" })
        #expect(text.contains("\\u{1B}"))
    }

    @Test func factSheetNeutralisesAndAligns() {
        var sheet = FactSheet()
        sheet.add("name", "a\u{1B}[2J")
        sheet.add("host keys", ["one", "two"])
        sheet.add("site", "")
        #expect(sheet.text == "name       a\\u{1B}[2J\nhost keys  one\n           two\nsite       -\n")
    }

    @Test func missingCellsShowAsDash() {
        var table = Table(["A", "B"])
        table.add(["1"])
        #expect(table.text() == "A  B\n1  -\n")
        #expect(table.text(bold: true).hasPrefix("\u{1B}[1mA  B\u{1B}[0m\n"))
    }
}

@Suite struct JSONTextTests {
    @Test func controlsThatEncodersLeaveAloneAreEscaped() throws {
        let text = try JSONText.line(["a": "x\u{9B}31m\u{202E}\u{7F}\u{2028}\u{1B}é"])
        #expect(!text.unicodeScalars.contains(where: isUnprintable))
        #expect(text.contains("\\u009b31m\\u202e\\u007f\\u2028"))
        #expect(text.contains("é"))
    }

    @Test func documentsAreIndentedAndKeepAbsentFactsAsNull() throws {
        let text = try JSONText.document(Samples.machine())
        #expect(text.contains("\n  \"agent_id\" : \"agent-7\""))
        #expect(text.contains("\"enrolled_at\" : null"))
    }
}

@Suite struct CommandFailureTests {
    private func problem(_ code: ProblemCode) -> ProblemBody {
        ProblemBody(code: code, title: "t", detail: "no \u{1B}[2J", requestID: "r")
    }

    @Test(arguments: [
        (ProblemCode.machineNotFound, CommandFailure.Code.refused), (.unauthenticated, .refused),
        (.nameTaken, .refused), (.draining, .tryAgain), (.databaseUnavailable, .tryAgain),
        (.tooManyRequests, .tryAgain), (.leaseRangeFull, .tryAgain),
    ])
    func answersBecomeExitCodes(code: ProblemCode, expected: CommandFailure.Code) {
        #expect(CommandFailure(GatewayClientErrorSample.problem(problem(code))).code == expected)
    }

    @Test func wordsAreSafeAndJSONKeepsTheGatewaysCode() {
        let failure = CommandFailure(GatewayClientErrorSample.problem(problem(.machineNotFound)))
        #expect(failure.text(json: false).hasPrefix("tidegate: "))
        #expect(!failure.text(json: false).unicodeScalars.contains(where: isUnprintable))
        #expect(failure.text(json: true).contains("\"error_code\" : \"MACHINE_NOT_FOUND\""))
        #expect(CommandFailure(GatewayClientErrorSample.unreachable).code == .unreachable)
        #expect(CommandFailure(UsageFault("no")).code == .usage)
        #expect(CommandFailure(UsageFault("no")).text(json: true).contains("\"error_code\" : \"USAGE\""))
    }
}
