import AsyncHTTPClient
import GateControl
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Why a message to one address got no answer.
struct ExchangeFailure: Error {
    let reason: OutboundError
    /// Nothing was sent: another address may be tried without doing anything twice.
    let isBeforeConnection: Bool

    init(_ error: any Error) {
        isBeforeConnection =
            switch error {
            case let error as HTTPClientError: error == .connectTimeout
            case is NIOConnectionError: true
            case let error as IOError:
                [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL].contains(error.errnoCode)
            default: false
            }
        reason =
            switch error {
            case let error as OutboundError: error
            case is CancellationError: .cancelled
            case is NIOTooManyBytesError: .answerTooLarge
            case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: .untrusted
            case let error as HTTPClientError where error == .cancelled: .cancelled
            case let error as HTTPClientError
            where error == .deadlineExceeded || error == .connectTimeout || error == .readTimeout
                || error == .tlsHandshakeTimeout:
                .timedOut
            case is HTTPParserError: .malformedAnswer
            default: .unreachable
            }
    }
}
