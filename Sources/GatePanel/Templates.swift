import Mustache

/// A page's view model: what its template may name, and nothing else. Built from the answers of use cases.
protocol Page: Sendable {
    static var template: PageTemplate { get }
    var frame: PageFrame { get }
}

/// Every page there is, with the text that is compiled in.
package enum PageTemplate: String, CaseIterable, Sendable {
    case signIn = "sign-in"
    case signInCode = "sign-in-code"
    case account
    case secondFactor = "second-factor"
    case recoveryCodes = "recovery-codes"
    case device
    case deviceRequest = "device-request"
    case decided
    case refusal
    /// What the others are built with.
    case layout
    case said

    package var text: String { String(decoding: bytes, as: UTF8.self) }

    private var bytes: [UInt8] {
        switch self {
        case .signIn: PackageResources.sign_in_mustache
        case .signInCode: PackageResources.sign_in_code_mustache
        case .account: PackageResources.account_mustache
        case .secondFactor: PackageResources.second_factor_mustache
        case .recoveryCodes: PackageResources.recovery_codes_mustache
        case .device: PackageResources.device_mustache
        case .deviceRequest: PackageResources.device_request_mustache
        case .decided: PackageResources.decided_mustache
        case .refusal: PackageResources.refusal_mustache
        case .layout: PackageResources.layout_mustache
        case .said: PackageResources.said_mustache
        }
    }
}

/// All templates, parsed once. Every value is escaped: none of them asks for text as it stands.
struct TemplateLibrary: Sendable {
    private let library: MustacheLibrary

    /// Throws for a template that can't be parsed.
    init() throws {
        var library = MustacheLibrary()
        for template in PageTemplate.allCases { try library.register(template.text, named: template.rawValue) }
        self.library = library
    }

    func render<Model: Page>(_ page: Model) -> String {
        library.render(page, withTemplate: Model.template.rawValue) ?? ""
    }
}
