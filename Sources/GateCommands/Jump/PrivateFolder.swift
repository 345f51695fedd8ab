import FoundationEssentials
import Glibc

/// A folder of mode 0700 under an unguessable name, in memory where the system offers that.
enum PrivateFolder {
    static func make() throws -> String {
        let environment = ProcessInfo.processInfo.environment
        let places = [environment["XDG_RUNTIME_DIR"], environment["TMPDIR"], "/tmp"].compactMap { $0 }
        // ssh expands % and ${ in an identity's path, and offers no way to write them.
        for place in places where place.hasPrefix("/") && !place.contains("%") && !place.contains("${") {
            var template = Array((place + "/tidegate-XXXXXX").utf8CString)
            guard mkdtemp(&template) != nil else { continue }
            return String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        throw CommandFailure(.refused, "no private folder could be made in \(places.joined(separator: ", "))")
    }

    static func remove(_ folder: String) {
        for name in ["key", "gateway_hosts", "machine_hosts"] { unlink(folder + "/" + name) }
        rmdir(folder)
    }
}
