/// One counter for one subscriber: an IPv6 host has a whole /64 of addresses to come from.
package func sourceGroup(_ source: String) -> String {
    guard source.contains(":") else { return source }
    let halves = source.split(separator: "::", maxSplits: 1, omittingEmptySubsequences: false).map {
        $0.split(separator: ":").map(String.init)
    }
    var groups = halves[0]
    if halves.count == 2 {
        groups += Array(repeating: "0", count: max(0, 8 - groups.count - halves[1].count)) + halves[1]
    }
    return groups.prefix(4).joined(separator: ":") + "::/64"
}
