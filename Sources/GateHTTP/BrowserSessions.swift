import GateControl
import GateModel
import GateWire
import HTTPTypes
import Hummingbird

/// Finds out which session a browser's request belongs to, and whether one of our pages caused it.
struct BrowserSessions: Sendable {
    let sessions: SessionService
    let origin: BrowserOrigin

    /// The context with the session's principal; as it was when there is no cookie, or when a bearer credential has
    /// already said who asks. A change needs the session's token in `X-CSRF-Token`.
    func authenticate(_ request: Request, _ context: GateContext) async throws -> GateContext {
        guard context.principal == nil, let found = try await session(of: request, source: context.source) else {
            return context
        }
        if request.method != .get, request.method != .head {
            guard isOwn(request), let token = request.headers[.csrfToken],
                sessions.isForgeryToken(token, of: found.session.id)
            else { throw ControlError.forgeryTokenRefused }
        }
        var context = context
        context.principal = .user(found.user, in: found.session.id)
        return context
    }

    /// Who the request's cookie stands for, if there is one and the origin may have sessions.
    func session(of request: Request, source: String) async throws -> (session: Session, user: User)? {
        guard origin.allowsSessions, let cookie = request.cookie(origin.sessionCookie) else { return nil }
        return try await sessions.verify(cookie: cookie, source: source)
    }

    /// False when the browser says that another site caused the request. Programs that aren't browsers say nothing.
    func isOwn(_ request: Request) -> Bool {
        if let from = request.headers[.origin] { return from == origin.text }
        guard let site = request.headers[.secFetchSite] else { return true }
        return site == "same-origin"
    }

    /// For what needs no session, and so has no token to ask for: the browser has to say that a page of ours caused it. Else
    /// another site could sign its visitor in as somebody else (login CSRF).
    func isSurelyOwn(_ request: Request) -> Bool {
        if let from = request.headers[.origin] { return from == origin.text }
        return request.headers[.secFetchSite] == "same-origin"
    }
}

extension Request {
    /// The value of a cookie that came exactly once: with two of a name nobody can tell whose is whose.
    package func cookie(_ name: String) -> String? {
        let values = headers[values: .cookie].flatMap { $0.split(separator: ";") }.compactMap { pair -> Substring? in
            let pair = pair.drop { $0 == " " }
            guard pair.hasPrefix(name), pair.dropFirst(name.count).hasPrefix("=") else { return nil }
            return pair.dropFirst(name.count + 1)
        }
        return values.count == 1 ? String(values[0]) : nil
    }

    /// What a browser or program calls itself, cut to what may be shown.
    package var client: Label {
        let text = (headers[.userAgent] ?? "").unicodeScalars.filter { !isUnprintable($0) }
        var scalars = String.UnicodeScalarView()
        var length = 0
        for scalar in text {
            length += UTF8.width(scalar)
            guard length <= 200 else { break }
            scalars.append(scalar)
        }
        return Label(rawValue: String(scalars)) ?? .empty
    }
}

extension HTTPField.Name {
    static var csrfToken: HTTPField.Name { HTTPField.Name("X-CSRF-Token") ?? .date }
    static var secFetchSite: HTTPField.Name { HTTPField.Name("Sec-Fetch-Site") ?? .date }
}
