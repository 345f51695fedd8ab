/// What a child gets besides its program, arguments, environment and descriptors.
public struct SpawnOptions: Sendable {
    /// Which session and process group the child lives in.
    public enum Group: Sendable {
        /// The parent's own: a signal from the terminal reaches both.
        case inherited
        /// A process group of its own, so that it can be ended together with its children.
        case own
        /// A session, and with it a group, of its own: no controlling terminal either.
        case session
    }

    /// The user and group the child becomes, with no supplementary groups.
    public struct Identity: Sendable {
        public let uid: UInt32
        public let gid: UInt32

        public init(uid: UInt32, gid: UInt32) {
            self.uid = uid
            self.gid = gid
        }
    }

    public var group: Group = .session
    /// Sent to the child when this process ends, however it ends; nil lets the child live on.
    public var parentDeathSignal: Int32?
    public var identity: Identity?
    /// The working folder; nil keeps the parent's.
    public var directory: String?
    /// argv[0] where it differs from the path.
    public var argument0: String?
    /// Kills what is left of the child's group in the moment the child itself ends. Needs a group of its own.
    public var killsGroupAtExit = false

    public init(
        group: Group = .session, parentDeathSignal: Int32? = nil, identity: Identity? = nil, directory: String? = nil
    ) {
        self.group = group
        self.parentDeathSignal = parentDeathSignal
        self.identity = identity
        self.directory = directory
    }
}
