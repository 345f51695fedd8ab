public import GateModel
import Logging

/// The one seam for bearer credentials: turns one into a principal, by the first provider that knows it. Fails closed.
public struct Authentication: Sendable {
    private let providers: [any TokenProvider]
    private let dependencies: ControlDependencies

    /// The store's own providers, and others behind them.
    public init(_ dependencies: ControlDependencies, others: [any TokenProvider] = []) {
        self.init(dependencies, providers: [StoredTokens(dependencies), StoredAgentKeys(dependencies)] + others)
    }

    package init(_ dependencies: ControlDependencies, providers: [any TokenProvider]) {
        self.dependencies = dependencies
        self.providers = providers
    }

    /// Nil: no provider recognises it. Throws `ProviderUnavailable` where that isn't known, `addressNotAllowed` for a good
    /// one from elsewhere than it may come from, `accountDisabled` for a good one of a disabled user, and
    /// `tooManyAttempts`.
    public func principal(bearer: String, source: String) async throws -> Principal? {
        let credential = PresentedCredential(bearer, source: source)
        var unavailable: ProviderUnavailable?
        for provider in providers {
            do {
                switch try await provider.verify(credential) {
                case .principal(let principal):
                    dependencies.hotState.used(principal, at: dependencies.now())
                    dependencies.uses.note(principal, source: source)
                    return principal
                case .refused: return nil
                case .addressRefused: throw ControlError.addressNotAllowed
                case .accountDisabled: throw ControlError.accountDisabled
                case .tooManyAttempts(let wait): throw ControlError.tooManyAttempts(retryAfter: wait)
                case nil: continue
                }
            } catch let error as ControlError {
                throw error
            } catch is CancellationError {
                throw CancellationError()
            } catch let error as ProviderUnavailable {
                unavailable = unavailable ?? error
            } catch {
                // Not the error's text: a provider may have put the credential into it.
                dependencies.logger.error(
                    "a token provider failed; it counts as not knowing the credential",
                    metadata: ["gate.provider": "\(provider.name)", "error": "\(type(of: error))"])
            }
        }
        if let unavailable { throw unavailable }
        dependencies.refuse(credential, reason: "unrecognised")
        return nil
    }
}

extension ControlDependencies {
    /// What a good credential is worth from where it came: its own addresses and its owner's hold.
    func admit(_ entry: CredentialCache.Entry, _ credential: PresentedCredential) -> TokenVerdict {
        guard entry.allowFrom.admits(credential.source), entry.ownerAllowFrom.admits(credential.source) else {
            refuse(credential, reason: "address", id: Caller(principal: entry.principal, source: "").credential)
            return .addressRefused
        }
        return .principal(entry.principal)
    }

    /// Counts a refused credential. `id` tells one that was good once: it is in somebody's hands.
    func refuse(_ credential: PresentedCredential, reason: String, id: String = "") {
        refusals.note(.init(kind: "credential", reason: reason, source: credential.source, credential: id))
    }
}
