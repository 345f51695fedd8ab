public import GateControl
public import GateModel
import GateWire
import Glibc
import HTTPTypes
import Hummingbird
import NIOCore

/// How a listener finds out who asks.
public enum AuthenticationMode: Sendable {
    /// Bearer credentials.
    case bearer(Authentication)
    /// `admin.sock`: the peer must run as this user and know the secret of the 0600 file beside the socket. Asking for both
    /// keeps out a tunnel whose sshd runs as the same user.
    case adminSocket(secret: CredentialDigest, tenant: ID<Tenant>, uid: UInt32)
}

/// Reads the bearer credential before anything of the body is read.
struct AuthenticationMiddleware: RouterMiddleware {
    let mode: AuthenticationMode

    func handle(
        _ request: Request, context: GateContext, next: (Request, GateContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        switch mode {
        case .bearer(let authentication):
            if let bearer = try request.bearer(), CredentialKind(shapeOf: bearer) != .enrolmentToken {
                do {
                    context.principal = try await authentication.principal(bearer: bearer, source: context.source)
                } catch let error as ControlError {
                    throw error
                } catch let error as ProviderUnavailable where !error.isStore {
                    throw Problem(
                        .providerUnavailable, "Who vouches for this credential can't be asked now; try again.",
                        retryAfter: .seconds(5))
                } catch {
                    // Could not ask: never a 401, which would tell an agent that its key is gone.
                    throw Problem(
                        .databaseUnavailable, "The credential can't be checked now; try again.", retryAfter: .seconds(1)
                    )
                }
                guard context.principal != nil else {
                    throw Problem(.unauthenticated, "The credential is unknown, revoked or expired.")
                }
            }
        case .adminSocket(let secret, let tenant, let uid):
            // Root too, who is the operator of a gateway that runs as a user nobody logs in as; it could become that user anyway.
            guard let peer = try await peerUID(context.channel), peer == uid || peer == 0,
                let bearer = try request.bearer(),
                CredentialDigest(of: bearer) == secret
            else { throw Problem(.unauthenticated, "admin.sock asks for its own user and the secret beside it.") }
            context.principal = .localAdministrator(tenant: tenant)
        }
        return try await next(request, context)
    }

    /// SO_PEERCRED (unix(7)) of the other end.
    private func peerUID(_ channel: any Channel) async throws -> UInt32? {
        guard let options = channel as? any SocketOptionProvider else { return nil }
        let credentials: PeerCredentials = try await options.unsafeGetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED)
        ).get()
        return credentials.uid
    }
}

/// `struct ucred` of unix(7).
private struct PeerCredentials: Sendable {
    var pid: Int32 = 0
    var uid: UInt32 = 0
    var gid: UInt32 = 0
}

extension Request {
    /// The credential of `Authorization: Bearer …` or `token …` (schemes are case-insensitive, RFC 9110, section 11.1);
    /// nil when there is no such header, a refusal when there is another scheme or more than one header.
    func bearer() throws -> String? {
        let values = headers[values: .authorization]
        guard let value = values.first else { return nil }
        // One or more blanks between the two (RFC 9110, section 11.4); the credential itself has none.
        let parts = value.utf8.split(separator: UInt8(ascii: " "))
        guard values.count == 1, parts.count == 2,
            ["bearer", "token"].contains(Substring(parts[0]).lowercased()), parts[1].count <= 4_096
        else { throw Problem(.unauthenticated, "Send one header: Authorization: Bearer CREDENTIAL.") }
        return String(Substring(parts[1]))
    }
}
