import Glibc

/// Microseconds everywhere: of the monotonic clock, and of this process's own work.
enum Clock {
    static func now() -> Int64 { read(CLOCK_MONOTONIC) }

    static func cpuSeconds() -> Double { Double(read(CLOCK_PROCESS_CPUTIME_ID)) / 1_000_000 }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }
}
