/// A time that was over before an operation was.
package struct DeadlinePassed: Error {}

/// What `operation` returns or throws. At `deadline` it is cancelled and `DeadlinePassed` is thrown, whatever part of it
/// still goes on: a deadline of one step doesn't bound an answer that drips for ever.
package func finishing<Value: Sendable>(
    by deadline: ContinuousClock.Instant, _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await operation() }
        group.addTask {
            try await Task.sleep(until: deadline, clock: .continuous)
            throw DeadlinePassed()
        }
        defer { group.cancelAll() }
        guard let first = try await group.next() else { throw CancellationError() }
        return first
    }
}
