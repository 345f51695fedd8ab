// Written by scripts/version from VERSION; a copy, because this program imports nothing of ours.

/// What `--version` prints: MAJOR.MINOR.PATCH.
let tidegateVersion = "0.1.0"
