import Foundation
import GateWire
import HTTPTypes
import HummingbirdTesting
import NIOCore
import Testing

/// Checks that an answer is a problem of RFC 9457 with this status, and returns its code.
@discardableResult
func expectProblem(
    _ response: TestResponse, status: Int, _ what: String, sourceLocation: SourceLocation = #_sourceLocation
) -> ProblemCode? {
    let text = String(buffer: response.body)
    #expect(response.status.code == status, "\(what): \(text)", sourceLocation: sourceLocation)
    #expect(response.headers[.contentType] == "application/problem+json", "\(what)", sourceLocation: sourceLocation)
    guard let body = try? JSONDecoder().decode(ProblemBody.self, from: Data(text.utf8)) else {
        Issue.record("\(what): not a problem: \(text)", sourceLocation: sourceLocation)
        return nil
    }
    #expect(body.status == status && body.statusCode == status, "\(what)", sourceLocation: sourceLocation)
    #expect(body.requestID == response.headers[requestIDName], "\(what)", sourceLocation: sourceLocation)
    #expect(!body.title.isEmpty && !body.detail.isEmpty, "\(what)", sourceLocation: sourceLocation)
    if status == 401 {
        #expect(response.headers[.wwwAuthenticate] != nil, "\(what)", sourceLocation: sourceLocation)
    }
    if [401, 408, 413, 431].contains(status) {
        #expect(response.headers[.connection] == "close", "\(what)", sourceLocation: sourceLocation)
    }
    let code = ProblemCode(rawValue: body.errorCode)
    #expect(code?.status == status, "\(what)", sourceLocation: sourceLocation)
    #expect(body.type == "urn:tidegate:problem:\(body.errorCode)", "\(what)", sourceLocation: sourceLocation)
    return code
}

/// Checks that nothing of the secret is in the answer.
func expectAbsent(
    _ secret: String?, in response: TestResponse, _ what: String, sourceLocation: SourceLocation = #_sourceLocation
) {
    guard let secret else { return }
    let shown = response.headers.map(\.description).joined() + String(buffer: response.body)
    #expect(!shown.contains(secret), "\(what) shows the credential", sourceLocation: sourceLocation)
    #expect(!shown.contains(secret.dropFirst(4)), "\(what) shows the credential", sourceLocation: sourceLocation)
}

var requestIDName: HTTPField.Name { HTTPField.Name("X-Request-ID") ?? .date }
