import GateModel
import GateStore

/// What an administrator can do about node tokens, which are the Fleet's: make the gateway ask about them again.
public struct NodeTokenService: Sendable {
    private let dependencies: ControlDependencies
    private let memory: NodeTokenMemory

    public init(_ dependencies: ControlDependencies, memory: NodeTokenMemory) {
        self.dependencies = dependencies
        self.memory = memory
    }

    /// After this returns, no node token of the tenant's users is taken on an earlier word of the Fleet: one revoked there
    /// is refused here at once.
    public func forget(by caller: Caller) async throws {
        try caller.require(.accessWrite)
        let event = dependencies.event(
            .nodeTokensForgotten, by: caller, subject: "tenant:\(caller.tenant)", at: dependencies.now())
        // First: a store that can't write must not keep a revoked token alive.
        memory.forgetAll(of: caller.tenant)
        // And what such a token opened: its holder comes back if the Fleet still vouches for it.
        dependencies.credentials.drop { $0.isNode && $0.tenant == caller.tenant }
        try await dependencies.record(event)
    }
}
