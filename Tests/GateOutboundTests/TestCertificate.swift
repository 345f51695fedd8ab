import GateProcess
import GateTesting
import NIOSSL
import Testing

/// A self-signed certificate for one name.
struct TestCertificate {
    let folder: TemporaryFolder
    var certificate: String { "\(folder.path)/certificate.pem" }
    var key: String { "\(folder.path)/key.pem" }

    static func make(for name: String) async throws -> TestCertificate {
        let made = TestCertificate(folder: try TemporaryFolder())
        let run = try await ProcessRun.run(
            "/usr/bin/openssl",
            arguments: [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                "/CN=\(name)", "-addext", "subjectAltName=DNS:\(name)", "-keyout", made.key, "-out", made.certificate,
            ], timeout: .seconds(60))
        try #require(run.status == .exited(0))
        return made
    }

    func context() throws -> NIOSSLContext {
        try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
                privateKey: .privateKey(NIOSSLPrivateKey(file: key, format: .pem))))
    }
}
