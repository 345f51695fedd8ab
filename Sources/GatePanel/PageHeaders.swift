import HTTPTypes

/// What every answer of the panel tells a browser.
enum PageHeaders {
    /// No script at all; styles and forms of our own alone; in nobody's frame.
    static let policy =
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

    static var all: HTTPFields {
        var headers: HTTPFields = [.contentSecurityPolicy: policy, .xContentTypeOptions: "nosniff"]
        for (name, value) in [
            // Not `no-referrer`: with that, browsers send `Origin: null` with our own forms (Fetch, "append a request
            // Origin header"), which is what tells them from another site's.
            ("Referrer-Policy", "same-origin"), ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"), ("X-Frame-Options", "DENY"),
        ] {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        return headers
    }
}
