// Written by scripts/version from VERSION.

/// What `--version` of every program prints: MAJOR.MINOR.PATCH.
public enum TidegateVersion {
    /// The version as text, without a leading `v`.
    public static let text = "0.1.0"
}
