import CGateSys

/// How this process's memory is kept.
public enum ProcessMemory {
    /// Large blocks go back to the system as soon as they are freed. Stretching a shared key takes 16 MiB for a moment, which
    /// the C library would keep for good. Call it before there is a second thread.
    public static func returnLargeBlocks() { _ = gate_unmap_large_blocks() }
}
