import GateSSH
import Glibc

/// The one line that makes ssh read our file.
package enum SSHConfigInclude {
    package static func line(_ file: String) throws -> String { "Include " + (try SSHConfigText.argument(file)) }

    /// The configuration with the line at its top: below a `Host` line it would count for that host alone.
    package static func added(_ line: String, to config: String) -> String {
        let lines = config.split(separator: "\n", omittingEmptySubsequences: false)
        guard !lines.contains(where: { $0.drop(while: { $0 == " " || $0 == "\t" }) == line }) else { return config }
        return line + "\n" + config
    }

    static func install(_ file: String, home: String?) throws {
        guard let home, home.hasPrefix("/") else { throw CommandFailure(.usage, "HOME is not set") }
        var path = home + "/.ssh/config"
        // Where it is a link, as people with their settings in a repository have it, the target is what they mean.
        if let real = realpath(path, nil) {
            path = String(cString: real)
            free(real)
        }
        let config = try GeneratedFile.present(path) ?? ""
        let changed = added(try line(file), to: config)
        if changed != config { try PrivateFile.write(changed, to: path) }
    }
}
