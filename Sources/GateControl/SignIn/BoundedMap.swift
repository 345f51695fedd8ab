/// Two generations: a full young one becomes the old one, and what isn't asked for again goes with it.
package struct BoundedMap<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let limit: Int
    private var young: [Key: Value] = [:]
    private var old: [Key: Value] = [:]

    package init(limit: Int) { self.limit = max(2, limit) }

    package var count: Int { young.count + old.count }

    package subscript(key: Key) -> Value? {
        get { young[key] ?? old[key] }
        set {
            guard let newValue else {
                young[key] = nil
                old[key] = nil
                return
            }
            if young[key] == nil, young.count >= limit / 2 {
                old = young
                young = [:]
            }
            young[key] = newValue
            old[key] = nil
        }
    }
}
