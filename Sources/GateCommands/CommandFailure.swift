import ArgumentParser
import GateClient
import GateModel
import GateSSH
import GateWire

/// How a command ends without having done its work: an exit code of sysexits(3) and words for a person.
package struct CommandFailure: Error, Equatable {
    /// What scripts may rely on.
    package enum Code: Int32, Sendable {
        case refused = 1
        case usage = 64
        case unreachable = 69
        case tryAgain = 75
    }

    package let code: Code
    package let words: String
    /// The gateway's own report, for `--json`.
    package let problem: ProblemBody?

    package init(_ code: Code, _ words: String, problem: ProblemBody? = nil) {
        self.code = code
        self.words = words
        self.problem = problem
    }

    /// The failure behind any error our own modules throw.
    package init(_ error: any Error) {
        switch error {
        case let error as CommandFailure: self = error
        case let error as GatewayClientError: self.init(answer: error)
        case let error as UsageFault: self.init(.usage, TerminalText.neutralised(error.description))
        case let error as ClientSetupError: self.init(.usage, TerminalText.neutralised(error.description))
        case let error as RefusedURL: self.init(.usage, error.description)
        default: self.init(.refused, TerminalText.neutralised("\(error)"))
        }
    }

    private init(answer error: GatewayClientError) {
        switch error {
        case .problem(let problem, let retryAfter):
            // A gateway that is busy, draining or has lost its store is worth another try, a refusal is not.
            let passes = [408, 429, 503].contains(problem.statusCode) || retryAfter != nil
            self.init(passes ? .tryAgain : .refused, error.description, problem: problem)
        case .unreachable: self.init(.unreachable, error.description)
        case .refusedURL: self.init(.usage, error.description)
        case .malformedAnswer(let status, _):
            self.init(status >= 500 ? .unreachable : .refused, error.description)
        }
    }

    /// What goes to standard error: a line, or with `--json` one problem document.
    package func text(json: Bool) -> String {
        guard json else { return "tidegate: \(words)" }
        let report = problem.map(Report.init) ?? Report(status: nil, detail: words, code: local)
        return (try? JSONText.document(report)) ?? "{}"
    }

    /// `error_code` of a failure that no gateway reported.
    private var local: String {
        switch code {
        case .refused: "REFUSED"
        case .usage: "USAGE"
        case .unreachable: "UNREACHABLE"
        case .tryAgain: "TRY_AGAIN"
        }
    }

    /// The members of a problem that a script reads (RFC 9457), ours or the gateway's.
    private struct Report: Encodable {
        var type = "about:blank"
        var title = "The command was not carried out"
        var status: Int?
        var detail: String
        var error_code: String
        var request_id: String?

        init(status: Int?, detail: String, code: String) {
            self.status = status
            self.detail = detail
            error_code = code
        }

        init(_ problem: ProblemBody) {
            type = problem.type
            title = problem.title
            status = problem.status
            detail = problem.detail
            error_code = problem.errorCode
            request_id = problem.requestID
        }
    }
}
