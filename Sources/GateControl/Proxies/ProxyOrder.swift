import Crypto
import GateModel

/// Which proxy somebody tries first: the smallest SHA-256 of `owner:proxy` (rendezvous hashing). The same for one owner
/// everywhere and at any time, with no state that gateways would have to share; and of N proxies that one leaves, about one
/// owner in N has to go elsewhere.
enum ProxyOrder {
    static func sorted(_ proxies: [Proxy], for owner: ID<User>?) -> [Proxy] {
        proxies.map { proxy in
            (weight: Array(SHA256.hash(data: Array("\(owner?.text ?? "gateway"):\(proxy.id)".utf8))), proxy: proxy)
        }
        .sorted { left, right in
            left.weight == right.weight
                ? left.proxy.id.text < right.proxy.id.text : left.weight.lexicographicallyPrecedes(right.weight)
        }
        .map(\.proxy)
    }
}
