import GateModel

/// What a provider's token has to say, each rule exact: a token that was made for somebody else, or for something else, is
/// signed just as well.
struct WebTokenRules: Sendable {
    /// How far the provider's clock may be from ours.
    static let leeway = Duration.seconds(60)

    enum Audience: Sendable {
        /// Ours alone, or ours among others of which `azp` says that it was made for us (OpenID Connect Core 1.0, section
        /// 3.1.3.7).
        case client(String)
        /// Ours and no other.
        case only(String)
    }

    let issuer: String
    let audience: Audience
    /// Since it was made.
    let oldest: Duration
    /// Nil where none was asked for.
    let nonce: String?

    /// The subject, if everything holds.
    func check(_ claims: WebTokenClaims, at now: Timestamp) throws(WebTokenFault) -> OutsideSubject {
        guard claims.text("iss") == issuer else { throw .issuer }
        try checkAudience(claims)
        guard let end = claims.time("exp") else { throw .expired }
        guard now < end + Self.leeway else { throw .expired }
        guard let made = claims.time("iat") else { throw .tooOld }
        guard made <= now + Self.leeway else { throw .notYet }
        guard now - made <= oldest else { throw .tooOld }
        if claims.has("nbf") {
            guard let start = claims.time("nbf"), start <= now + Self.leeway else { throw .notYet }
        }
        if let nonce {
            guard let text = claims.text("nonce"), isSame(Array(text.utf8), Array(nonce.utf8)) else { throw .nonce }
        }
        guard let subject = claims.text("sub").flatMap({ OutsideSubject(rawValue: $0) }) else { throw .subject }
        return subject
    }

    private func checkAudience(_ claims: WebTokenClaims) throws(WebTokenFault) {
        guard let audiences = claims.texts("aud") else { throw .audience }
        switch audience {
        case .only(let ours): guard audiences == [ours] else { throw .audience }
        case .client(let ours):
            guard audiences.contains(ours), audiences.count == 1 || claims.text("azp") == ours,
                !claims.has("azp") || claims.text("azp") == ours
            else { throw .audience }
        }
    }
}
