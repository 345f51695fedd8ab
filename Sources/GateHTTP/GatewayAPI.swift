import GateControl
public import Hummingbird

/// The native API: every route there is, over the same services whichever listener it is reached by.
public struct GatewayAPI: Sendable {
    private let services: GateServices
    private let sources: SourceAddress
    private let metrics: HTTPMetrics
    private let dialects: [@Sendable (RouteBook) -> Void]

    /// `dialects` add routes of the panel and for other programs, in their order, on listeners that take bearer credentials.
    public init(
        services: GateServices, sources: SourceAddress, metrics: HTTPMetrics,
        dialects: [@Sendable (RouteBook) -> Void] = []
    ) {
        self.services = services
        self.sources = sources
        self.metrics = metrics
        self.dialects = dialects
    }

    /// A router whose requests are authenticated as `mode` says.
    public func router(_ mode: AuthenticationMode) -> Router<GateContext> { book(mode).router }

    /// The routes, for the tests that walk all of them.
    public func routes(_ mode: AuthenticationMode) -> [RouteBook.Entry] { book(mode).entries }

    private func book(_ mode: AuthenticationMode) -> RouteBook {
        let router = Router(context: GateContext.self)
        var sessions: BrowserSessions?
        var limits: RequestLimits?
        if case .bearer = mode {
            limits = services.limits
            sessions = BrowserSessions(sessions: services.signIn.sessions, origin: services.browser)
        }
        // Middleware covers only what is added after it: these two come before every route.
        router.add(middleware: RequestMiddleware(sources: sources, metrics: metrics, limits: limits))
        router.add(middleware: AuthenticationMiddleware(mode: mode))
        let book = RouteBook(router: router, agents: services.agents, sessions: sessions)
        SystemRoutes(services: services, metrics: metrics).add(to: book)
        // `/api/…` without a version is another name of the current one.
        for root in ["/api/v1", "/api"] {
            AccessRoutes(services: services, root: root).add(to: book)
            TokenRoutes(services: services, root: root).add(to: book)
            NodeTokenRoutes(services: services, root: root).add(to: book)
            UserRoutes(services: services, root: root).add(to: book)
            GrantRoutes(services: services, root: root).add(to: book)
            MachineRoutes(services: services, root: root).add(to: book)
            CredentialRoutes(services: services, root: root).add(to: book)
            AgentRoutes(services: services, root: root).add(to: book)
            TunnelKeyRoutes(services: services, root: root).add(to: book)
            ProxyRoutes(services: services, root: root).add(to: book)
            AuditRoutes(services: services, root: root).add(to: book)
            StreamRoutes(services: services, root: root).add(to: book)
            SignInRoutes(services: services, root: root).add(to: book)
            OutsideSignInRoutes(services: services, root: root).add(to: book)
            SecondFactorRoutes(services: services, root: root).add(to: book)
            DeviceRoutes(services: services, root: root).add(to: book)
            ImportRoutes(services: services, root: root).add(to: book)
        }
        if case .bearer = mode { for dialect in dialects { dialect(book) } }
        book.closeMethods()
        return book
    }
}
