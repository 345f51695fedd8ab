import GateModel

/// What one key may do, as the authorized_keys line that sshd enforces (sshd(8), AUTHORIZED_KEYS FILE FORMAT).
///
/// An absent option means "anything": without `permitopen` a reverse key is an open proxy into the gateway's network,
/// without `permitlisten` a jump key may bind another machine's port, and `restrict` alone still lets commands run.
/// So every line names both directions and a command; the direction that isn't meant names 127.0.0.1:1.
public enum KeyLine: Hashable, Sendable {
    /// A machine's tunnel: listens on its leased port; opens only the gateway's API, if that.
    case reverse(listen: SSHAddress, control: SSHAddress?)
    /// A person's way to machines: opens their ports, 0 to 64 of them.
    case jump(targets: [SSHAddress])
    /// A way to hosts beyond, 0 to 64 of them.
    case forward(targets: [SSHTarget])
    /// A machine that enrols: opens the gateway's API alone.
    case control(api: SSHAddress)

    public enum Fault: Error, Hashable, Sendable, CustomStringConvertible {
        case tooManyTargets(Int)
        case localhostName

        public var description: String {
            switch self {
            case .tooManyTargets(let count):
                "A key reaches at most \(KeyLine.maximumTargets) machines, not \(count); use a second key."
            case .localhostName: "`localhost` may mean 127.0.0.1 or ::1; give the literal address."
            }
        }
    }

    public static let maximumTargets = 64
    private static let blockBytes = Set("0123456789abcdef.:/".utf8)

    /// The line without a line break and without a comment.
    ///
    /// `from` holds blocks of addresses, `NETWORK/BITS` with no bit set behind the prefix: sshd refuses a line whose mask
    /// doesn't fit (sshd(8), `from=`); none lets any address log in.
    ///
    /// The expiry is cut to whole seconds, and left out where sshd would refuse the line for it: the gateway refuses
    /// expired keys itself, at each lookup; this is the second lock.
    public func text(
        key: SSHPublicKey, from blocks: [String] = [], expires: Timestamp?, version: OpenSSHVersion
    ) throws(Fault) -> String {
        var options = ["restrict", "port-forwarding"]
        switch self {
        case .reverse(let listen, let control):
            options += [Self.listen(listen), Self.open((control ?? .nothing).text)]
        case .jump(let targets):
            guard targets.count <= Self.maximumTargets else { throw .tooManyTargets(targets.count) }
            options += targets.isEmpty ? [Self.open(SSHAddress.nothing.text)] : targets.map { Self.open($0.text) }
            options.append(Self.listen(.nothing))
        case .forward(let targets):
            guard targets.count <= Self.maximumTargets else { throw .tooManyTargets(targets.count) }
            guard !targets.contains(where: \.isLocalhostName) else { throw .localhostName }
            options += targets.isEmpty ? [Self.open(SSHAddress.nothing.text)] : targets.map { Self.open($0.text) }
            options.append(Self.listen(.nothing))
        case .control(let api):
            options += [Self.open(api.text), Self.listen(.nothing)]
        }
        options.append(#"command="/usr/sbin/nologin""#)
        if !blocks.isEmpty {
            let isClean = blocks.allSatisfy { $0.utf8.allSatisfy(Self.blockBytes.contains) }
            // A list that can't be written lets nobody in: 255.255.255.255 is no login's source.
            options.append("from=\"\(isClean ? blocks.joined(separator: ",") : "255.255.255.255")\"")
        }
        if let expires, version.acceptsUTCExpiry {
            options.append("expiry-time=\"\(Self.expiry(expires).sshExpiryTime)\"")
        }
        return options.joined(separator: ",") + " " + key.line
    }

    private static func listen(_ address: SSHAddress) -> String { "permitlisten=\"\(address.text)\"" }
    private static func open(_ target: String) -> String { "permitopen=\"\(target)\"" }

    /// Within what sshd's fourteen digits can say: 1970-01-01T00:00:01Z (0 is no time to it) to the end of 9999.
    private static func expiry(_ time: Timestamp) -> Timestamp {
        min(max(time, Timestamp(seconds: 1)), Timestamp(seconds: 253_402_300_799))
    }
}
