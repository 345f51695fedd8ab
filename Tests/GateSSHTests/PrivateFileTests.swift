import Foundation
import GateModel
import GateSSH
import Testing

@Suite struct PrivateFileTests {
    @Test func aGeneratedKeyIsReadBySSHKeygen() throws {
        for _ in 0..<8 {
            let pair = EphemeralKey.generate()
            try withFolder { folder in
                try PrivateFile.write(pair.privateKeyFile, to: folder + "/key")
                let read = try Spawned("/usr/bin/ssh-keygen", ["-y", "-f", folder + "/key"])
                #expect(read.status == 0, "\(read.errors)")
                #expect(read.output.trimmingCharacters(in: .whitespacesAndNewlines) == pair.publicKey.line)
                // ssh-keygen -y may copy the public half; a signature needs the private one.
                let signed = try Spawned(
                    "/usr/bin/ssh-keygen",
                    ["-Y", "sign", "-n", "test", "-f", folder + "/key", try message(in: folder)])
                #expect(signed.status == 0, "\(signed.errors)")
                let check = try Spawned(
                    "/bin/sh",
                    [
                        "-c",
                        "ssh-keygen -Y check-novalidate -n test -s \"$1/message.sig\" < \"$1/message\"", "sh", folder,
                    ])
                #expect(check.status == 0, "\(check.errors)")
            }
        }
    }

    private func message(in folder: String) throws -> String {
        try PrivateFile.write("a message\n", to: folder + "/message")
        return folder + "/message"
    }

    @Test func twoGeneratedKeysDiffer() {
        #expect(EphemeralKey.generate().publicKey != EphemeralKey.generate().publicKey)
    }

    @Test func aFileIsReplacedWholeAndReadByItsOwnerAlone() throws {
        try withFolder { folder in
            let path = folder + "/state"
            try "an old and longer text".write(toFile: path, atomically: false, encoding: .utf8)
            #expect(chmod(path, 0o644) == 0)
            try PrivateFile.write(Secret("new"), to: path)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "new")
            #expect(mode(of: path) == 0o600)
            try PrivateFile.write("public", to: path, mode: 0o644)
            #expect(mode(of: path) == 0o644)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["state"])
        }
    }

    @Test func aSymbolicLinkIsReplacedAndNotFollowed() throws {
        try withFolder { folder in
            try "untouched".write(toFile: folder + "/other", atomically: false, encoding: .utf8)
            #expect(symlink(folder + "/other", folder + "/link") == 0)
            try PrivateFile.write("new", to: folder + "/link")
            #expect(try String(contentsOfFile: folder + "/other", encoding: .utf8) == "untouched")
            #expect(try String(contentsOfFile: folder + "/link", encoding: .utf8) == "new")
        }
    }

    @Test func aFailureNamesThePathAndTheReasonAndLeavesNothing() throws {
        try withFolder { folder in
            #expect {
                try PrivateFile.write("x", to: folder + "/absent/file")
            } throws: { error in
                "\(error)".contains(folder + "/absent/file") && "\(error)".contains("No such file or directory")
            }
            #expect(mkdir(folder + "/full", 0o700) == 0)
            try PrivateFile.write("x", to: folder + "/full/file")
            #expect(throws: PrivateFile.Fault.self) { try PrivateFile.write("x", to: folder + "/full") }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["full"])
            for path in ["", "/", folder + "/", folder + "/a\0b"] {
                #expect(throws: PrivateFile.Fault.self) { try PrivateFile.write("x", to: path) }
            }
        }
    }

    @Test func aFolderIsMadeWithItsParentsAndClosedToOthers() throws {
        try withFolder { folder in
            try PrivateFile.makeFolder(folder + "/a/b")
            #expect(mode(of: folder + "/a") == 0o700)
            #expect(mode(of: folder + "/a/b") == 0o700)
            #expect(chmod(folder + "/a/b", 0o755) == 0)
            try PrivateFile.makeFolder(folder + "/a/b")
            #expect(mode(of: folder + "/a/b") == 0o700)
            try PrivateFile.write("x", to: folder + "/file")
            #expect(throws: PrivateFile.Fault.self) { try PrivateFile.makeFolder(folder + "/file") }
            #expect(throws: PrivateFile.Fault.self) { try PrivateFile.makeFolder(folder + "/file/below") }
        }
    }

    private func mode(of path: String) -> UInt32 {
        var facts = stat()
        return lstat(path, &facts) == 0 ? facts.st_mode & 0o7777 : 0
    }
}
