import GateAgent
import Testing

@Suite struct TunnelStateMachineTests {
    private let lease = TunnelStateMachine.Lease(port: 22_001, generation: 3)

    private func running(stopsWhenRefused: Bool = true) -> TunnelStateMachine {
        var machine = TunnelStateMachine(stopsWhenRefused: stopsWhenRefused)
        #expect(machine.handle(.started) == .register)
        #expect(machine.handle(.registered(lease)) == .spawn(lease))
        return machine
    }

    @Test func aTunnelThatEndsIsRegisteredAgainAfterALongerAndLongerWait() {
        var machine = running()
        for ceiling in [1, 2, 4, 8, 16, 32, 60, 60] {
            #expect(
                machine.handle(.processEnded(afterStableRun: false)) == .startTimer(Delay(floor: 0, ceiling: ceiling)))
            #expect(machine.handle(.timerFired) == .register)
            #expect(machine.handle(.registered(lease)) == .spawn(lease))
        }
    }

    @Test func aStableRunForgetsTheFailuresBeforeIt() {
        var machine = running()
        for _ in 0..<4 {
            _ = machine.handle(.processEnded(afterStableRun: false))
            _ = machine.handle(.timerFired)
            _ = machine.handle(.registered(lease))
        }
        #expect(machine.handle(.processEnded(afterStableRun: true)) == .startTimer(Delay(floor: 0, ceiling: 1)))
    }

    @Test func aFailedRegistrationWaitsAtLeastAsLongAsTheGatewayAsks() {
        var machine = TunnelStateMachine(stopsWhenRefused: true)
        _ = machine.handle(.started)
        #expect(
            machine.handle(.registrationFailed(.retryable(after: 30))) == .startTimer(Delay(floor: 30, ceiling: 31)))
        #expect(machine.handle(.timerFired) == .register)
        #expect(
            machine.handle(.registrationFailed(.retryable(after: nil))) == .startTimer(Delay(floor: 0, ceiling: 2)))
    }

    @Test func aServiceEndsWhenItsCredentialIsGone() {
        var machine = TunnelStateMachine(stopsWhenRefused: true)
        _ = machine.handle(.started)
        #expect(machine.handle(.registrationFailed(.credentialGone)) == .finish(.credentialGone))
    }

    @Test func inTheForegroundAGoneCredentialIsAskedForEveryFiveMinutes() {
        var machine = TunnelStateMachine(stopsWhenRefused: false)
        _ = machine.handle(.started)
        for _ in 0..<3 {
            #expect(
                machine.handle(.registrationFailed(.credentialGone)) == .startTimer(Delay(floor: 300, ceiling: 300)))
            #expect(machine.handle(.timerFired) == .register)
        }
    }

    @Test func aLostLeaseEndsTheTunnelAndRegistersAtOnce() {
        var machine = running()
        #expect(machine.handle(.heartbeatLeaseGone) == .terminateProcess)
        #expect(machine.handle(.processEnded(afterStableRun: true)) == .register)
    }

    @Test func aSupersededAgentStopsAndDoesNotFight() {
        var machine = running()
        #expect(machine.handle(.heartbeatFailed(.superseded)) == .terminateProcess)
        #expect(machine.handle(.processEnded(afterStableRun: true)) == .finish(.superseded))

        var other = TunnelStateMachine(stopsWhenRefused: false)
        _ = other.handle(.started)
        #expect(other.handle(.registrationFailed(.superseded)) == .finish(.superseded))
    }

    @Test func aHeartbeatNobodyAnsweredChangesNothing() {
        var machine = running()
        #expect(machine.handle(.heartbeatFailed(.retryable(after: 5))) == .none)
        #expect(machine.handle(.heartbeatAnswered) == .none)
        #expect(machine.handle(.stopRequested) == .terminateProcess)
    }

    @Test func aCredentialGoneInAHeartbeatIsAskedAboutOnceMore() {
        var machine = running()
        #expect(machine.handle(.heartbeatFailed(.credentialGone)) == .terminateProcess)
        #expect(machine.handle(.processEnded(afterStableRun: true)) == .register)
        #expect(machine.handle(.registrationFailed(.credentialGone)) == .finish(.credentialGone))
    }

    @Test func stopEndsTheTunnelFirst() {
        var machine = running()
        #expect(machine.handle(.stopRequested) == .terminateProcess)
        #expect(machine.handle(.stopRequested) == .none)
        #expect(machine.handle(.processEnded(afterStableRun: false)) == .finish(.requested))
    }

    @Test func stopWinsOverAnEndForAnotherReason() {
        var machine = running()
        _ = machine.handle(.heartbeatLeaseGone)
        #expect(machine.handle(.stopRequested) == .none)
        #expect(machine.handle(.processEnded(afterStableRun: false)) == .finish(.requested))
    }

    @Test func stopIsHeardWhileNothingRuns() {
        var idle = TunnelStateMachine(stopsWhenRefused: true)
        #expect(idle.handle(.stopRequested) == .finish(.requested))
        var registering = TunnelStateMachine(stopsWhenRefused: true)
        _ = registering.handle(.started)
        #expect(registering.handle(.stopRequested) == .finish(.requested))
        var waiting = running()
        _ = waiting.handle(.processEnded(afterStableRun: false))
        #expect(waiting.handle(.stopRequested) == .finish(.requested))
    }

    @Test(arguments: [
        TunnelStateMachine.Event.started, .timerFired, .processEnded(afterStableRun: true), .heartbeatLeaseGone,
        .registered(.init(port: 1, generation: 1)), .registrationFailed(.credentialGone), .stopRequested,
    ])
    func nothingHappensAfterTheEnd(late: TunnelStateMachine.Event) {
        var machine = TunnelStateMachine(stopsWhenRefused: true)
        _ = machine.handle(.stopRequested)
        #expect(machine.handle(late) == .none)
    }

    @Test(arguments: 0..<80)
    func theDrawnWaitStaysWithinItsBounds(attempt: Int) {
        var generator = SystemRandomNumberGenerator()
        let delay = Delay(attempt: attempt, atLeast: attempt % 3 == 0 ? attempt : nil)
        #expect(delay.ceiling - delay.floor <= 60)
        for _ in 0..<20 {
            let drawn = delay.drawn(using: &generator)
            #expect(drawn >= .seconds(delay.floor) && drawn <= .seconds(delay.ceiling))
        }
    }

    @Test func aHostileRetryAfterIsBounded() {
        #expect(Delay(attempt: 0, atLeast: .max).floor == 3_600)
        #expect(Delay(attempt: .max, atLeast: -5) == Delay(floor: 0, ceiling: 60))
    }
}
