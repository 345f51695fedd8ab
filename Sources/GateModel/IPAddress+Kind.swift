extension IPAddress {
    /// What lives at an address, as far as the address tells.
    public enum Kind: String, Sendable, CaseIterable {
        /// `0.0.0.0/8` and `::`: Linux takes them for this host.
        case unspecified
        case loopback
        case linkLocal
        /// Where clouds answer everybody on the host with the host's own credentials.
        case metadata
        case multicast
        case broadcast
        /// Never given to anybody, or with a meaning that only a translator knows.
        case reserved
        /// Everything else, private networks too.
        case ordinary
    }

    /// The kind of this address itself; `embedded` has those it carries inside.
    public var kind: Kind { isIPv4 ? kindOfIPv4 : kindOfIPv6 }

    private var kindOfIPv4: Kind {
        switch (bytes[0], bytes[1], bytes[2], bytes[3]) {
        // RFC 1122, 3.2.1.3
        case (0, _, _, _): .unspecified
        case (127, _, _, _): .loopback
        // RFC 3927; AWS, Google, Azure, Oracle, OpenStack and others answer at 169.254.169.254, ECS at 169.254.170.2.
        case (169, 254, 169, 254), (169, 254, 170, 2): .metadata
        case (169, 254, _, _): .linkLocal
        // Alibaba; Azure's host agent; Oracle Cloud Classic.
        case (100, 100, 100, 200), (168, 63, 129, 16), (192, 0, 0, 192): .metadata
        // IETF protocol assignments (RFC 6890), 6to4 relays (RFC 7526).
        case (192, 0, 0, _), (192, 88, 99, _): .reserved
        case (224...239, _, _, _): .multicast
        case (255, 255, 255, 255): .broadcast
        case (240..., _, _, _): .reserved
        default: .ordinary
        }
    }

    private var kindOfIPv6: Kind {
        if bytes.prefix(15).allSatisfy({ $0 == 0 }) {
            switch bytes[15] {
            case 0: return .unspecified
            case 1: return .loopback
            // The rest of the IPv4-compatible addresses of 0.0.0.0/8, which nothing uses.
            default: return .reserved
            }
        }
        if isIn([0xFE, 0x80], 10) { return .linkLocal }
        if isIn([0xFF], 8) { return .multicast }
        // AWS (instance data, name server, time), Google, Oracle, Scaleway: unique local addresses with one meaning.
        if isIn([0xFD, 0x00, 0x0E, 0xC2], 32) || isIn([0xFD, 0x20, 0x00, 0xCE], 32)
            || isIn([0xFD, 0x00, 0x00, 0xC1], 32)
            || bytes == Self.scaleway
        {
            return .metadata
        }
        // Local-use NAT64 (RFC 8215): where its translator puts the IPv4 address isn't known. Site-local (RFC 3879) and
        // discard-only (RFC 6666).
        if isIn([0x00, 0x64, 0xFF, 0x9B, 0x00, 0x01], 48) || isIn([0xFE, 0xC0], 10)
            || isIn([0x01, 0x00, 0, 0, 0, 0, 0, 0], 64)
        {
            return .reserved
        }
        return .ordinary
    }

    /// fd00:42::42
    private static let scaleway: [UInt8] = [0xFD, 0x00, 0x00, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x42]
}
