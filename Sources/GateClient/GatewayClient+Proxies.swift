import GateModel
public import GateWire

/// Proxies, and the keys that lead through them.
extension GatewayClient {
    public func addProxy(_ request: AddProxyRequest) async throws(GatewayClientError) -> ProxyBody {
        try await send(.post, APIPath.proxies, body: request)
    }

    /// By name.
    public func proxies() async throws(GatewayClientError) -> [ProxyBody] { try await send(.get, APIPath.proxies) }

    /// By name or id, as all below.
    public func proxy(_ name: String) async throws(GatewayClientError) -> ProxyBody {
        try await send(.get, APIPath.proxy(percentEncoded(name)))
    }

    /// What keys the gateway sees a host offer now.
    public func scanProxy(_ request: ScanProxyRequest) async throws(GatewayClientError) -> [HostKeyBody] {
        try await send(.post, "\(APIPath.proxies)/scan", body: request)
    }

    public func patchProxy(
        _ name: String, _ patch: PatchProxyRequest
    ) async throws(GatewayClientError) -> ProxyBody {
        try await send(.patch, APIPath.proxy(percentEncoded(name)), body: patch)
    }

    public func setProxyHostKey(
        _ name: String, _ request: SetHostKeyRequest
    ) async throws(GatewayClientError) -> ProxyBody {
        try await send(.post, "\(APIPath.proxy(percentEncoded(name)))/host-key", body: request)
    }

    /// The answer holds the new token, once.
    public func rotateProxyToken(
        _ name: String, _ request: RotateProxyTokenRequest
    ) async throws(GatewayClientError) -> ProxyBody {
        try await send(.post, "\(APIPath.proxy(percentEncoded(name)))/token", body: request)
    }

    public func activateProxy(
        _ name: String, _ request: ActivateProxyRequest
    ) async throws(GatewayClientError) -> ProxyBody {
        try await send(.post, "\(APIPath.proxy(percentEncoded(name)))/activate", body: request)
    }

    public func deactivateProxy(_ name: String) async throws(GatewayClientError) -> ProxyBody {
        try await send(.post, "\(APIPath.proxy(percentEncoded(name)))/deactivate")
    }

    public func removeProxy(_ name: String) async throws(GatewayClientError) {
        try await send(.delete, APIPath.proxy(percentEncoded(name)))
    }

    /// Registers a public key for the targets behind proxies; the answer says which to try, in which order.
    public func addForwardKey(_ request: AddForwardKeyRequest) async throws(GatewayClientError) -> ForwardKeyBody {
        try await send(.post, APIPath.forwardKeys, body: request)
    }
}
