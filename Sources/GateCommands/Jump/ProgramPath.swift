import Glibc

/// Finds programs as a shell would, absolute folders only: a program from the current folder is nobody's wish.
package enum ProgramPath {
    package static func find(_ name: String, in path: String?) throws -> String {
        for folder in (path ?? "/usr/bin:/bin").split(separator: ":") where folder.hasPrefix("/") {
            let file = folder + "/" + name
            if access(file, X_OK) == 0 { return file }
        }
        throw CommandFailure(.refused, "\(name) was not found in PATH: install the OpenSSH client")
    }
}
