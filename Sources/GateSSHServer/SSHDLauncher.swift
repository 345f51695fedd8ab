public import GateControl

/// Starts and ends the sshd processes of the managed mode: itself, or through a process that kept root for this.
public protocol SSHDLauncher: Sendable {
    /// Starts one sshd with the connection as its standard input and output and its log written to `log`; both stay the
    /// caller's to close. `onExit` is called once, from another thread and possibly before this returns.
    func start(connection: Int32, log: Int32, onExit: @escaping @Sendable (SSHProcess) -> Void) throws -> SSHProcess

    /// Ends the sshd's whole process group; true when nobody of it runs any more.
    func end(_ process: SSHProcess) async -> Bool
}
