import CGateSys

/// This process's own memory.
public enum ProcessMemory {
    /// Gives what was freed back to the system. For after a start that took much for a moment; slow, and not for every day.
    public static func giveBack() { gate_trim_memory() }
}
