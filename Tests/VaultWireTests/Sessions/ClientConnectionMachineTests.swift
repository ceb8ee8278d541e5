import FoundationEssentials
import Testing
import VaultModel

@testable import VaultWire

@Suite struct ClientConnectionMachineTests {
    @Test func goesThroughTheLoginToAnswers() throws {
        var machine = try opened()
        let request = machine.begin(.stat("a"))
        guard case .answer(request, _, contentBytes: 0) = try machine.receive(.found(), request: request) else {
            return #expect(Bool(false))
        }
        #expect(machine.requestsInFlight == 0)
    }

    @Test func rejectsAnswersToNoRequestAndOfTheWrongKind() throws {
        var machine = try opened()
        let request = machine.begin(.stat("a"))
        for message in [WireServerMessage.done, .fetchReady([1]), .welcome(), .loginDone()] {
            var copy = machine
            #expect(throws: WireViolation.self) { try copy.receive(message, request: request) }
        }
        var copy = machine
        #expect(throws: WireViolation.self) { try copy.receive(.found(), request: request + 1) }
        _ = try machine.receive(.found(), request: request)
        #expect(throws: WireViolation.self) { try machine.receive(.found(), request: request) }
    }

    @Test func rejectsWhatNoServerSaysBeforeTheLogin() throws {
        var machine = ClientConnectionMachine()
        for message in [WireServerMessage.found(), .loginDone(), .done] {
            var copy = machine
            #expect(throws: WireViolation.self) { try copy.receive(message, request: 0) }
            copy = machine
            #expect(throws: WireViolation.self) { try copy.receive(message, request: 1) }
        }
        #expect(throws: WireViolation.self) { try machine.receiveData(1, request: 1) }
    }

    @Test func rejectsASecondChallenge() throws {
        var challenge = WireServerMessage()
        challenge.loginChallenge.nonce = Data([1])
        var machine = ClientConnectionMachine()
        _ = try machine.receive(.welcome(), request: 0)
        guard case .challenge = try machine.receive(challenge, request: 0) else { return #expect(Bool(false)) }
        var copy = machine
        #expect(throws: WireViolation.self) { try copy.receive(challenge, request: 0) }
        guard case .opened = try machine.receive(.loginDone(), request: 0) else { return #expect(Bool(false)) }
    }

    @Test func countsTheContentBehindAnAnswer() throws {
        var machine = try opened()
        let request = machine.begin(fetch)
        guard case .answer(_, _, contentBytes: 30) = try machine.receive(.fetchReady([10, 20]), request: request) else {
            return #expect(Bool(false))
        }
        #expect(try machine.receiveData(29, request: request) == .deliver(isLast: false))
        var copy = machine
        #expect(throws: WireViolation.self) { try copy.receiveData(2, request: request) }
        #expect(try machine.receiveData(1, request: request) == .deliver(isLast: true))
        #expect(throws: WireViolation.self) { try machine.receiveData(1, request: request) }
    }

    @Test func aFailureEndsARequestInTheMiddleOfItsContent() throws {
        var machine = try opened()
        let request = machine.begin(fetch)
        _ = try machine.receive(.fetchReady([10]), request: request)
        _ = try machine.receiveData(4, request: request)
        let failure = WireServerMessage.failure(VaultError(.integrity, "It is damaged."))
        guard case .failed(request, let error) = try machine.receive(failure, request: request) else {
            return #expect(Bool(false))
        }
        #expect(error.code == .integrity)
        #expect(machine.requestsInFlight == 0)
    }

    @Test func ignoresTheAnswerToARequestThatWasGivenUp() throws {
        var machine = try opened()
        let request = machine.begin(fetch)
        let isTold = machine.giveUp(request)
        #expect(isTold)
        guard case .ignore = try machine.receive(.fetchReady([10]), request: request) else {
            return #expect(Bool(false))
        }
        #expect(try machine.receiveData(10, request: request) == .discard)
        let isToldAgain = machine.giveUp(request)
        #expect(!isToldAgain)
        #expect(machine.requestsInFlight == 0)
    }

    @Test func hearsARefusalAndTheEnd() throws {
        var refused = ClientConnectionMachine()
        let closing = WireServerMessage.closing(VaultError(.invalid, "No."))
        guard case .refused = try refused.receive(closing, request: 0) else { return #expect(Bool(false)) }
        var machine = try opened()
        guard case .closing(let reason) = try machine.receive(closing, request: 0) else { return #expect(Bool(false)) }
        #expect(reason.message == "No.")
    }

    @Test func aServersTextIsShownEscaped() {
        let error = WireFailure(VaultError(.denied, "a\u{1B}[2Jb")).model
        #expect(error.message == "a\\x1B[2Jb")
    }

    private var fetch: WireClientMessage {
        var message = WireClientMessage()
        message.fetch.positions = [0]
        return message
    }

    private func opened() throws -> ClientConnectionMachine {
        var machine = ClientConnectionMachine()
        _ = try machine.receive(.welcome(), request: 0)
        _ = try machine.receive(.loginDone(), request: 0)
        return machine
    }
}
