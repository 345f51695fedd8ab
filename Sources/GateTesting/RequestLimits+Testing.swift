public import GateControl

extension RequestLimits.Rules {
    /// For tests of anything else, which may send thousands of requests from one place.
    public static var ample: RequestLimits.Rules {
        var rules = RequestLimits.Rules()
        rules.refused.burst = 1_000_000
        rules.anonymous.burst = 1_000_000
        rules.work = nil
        return rules
    }
}
