import FoundationEssentials
import Testing
import VaultModel

@testable import VaultWire

@Suite struct ServerConnectionMachineTests {
    @Test func leadsFromTheGreetingThroughTheLoginToRequests() throws {
        var machine = ServerConnectionMachine()
        #expect(try isWelcome(machine.receive(.hello(), request: 0)))
        #expect(!machine.isOpen)
        guard case .login = try machine.receive(.login(), request: 0) else { return #expect(Bool(false)) }
        machine.challenged()
        guard case .prove = try machine.receive(.proof(), request: 0) else { return #expect(Bool(false)) }
        machine.opened()
        #expect(machine.isOpen)
        #expect(try begun(machine.receive(.stat("a"), request: 1)) == 1)
        #expect(machine.requestsInFlight == 1)
        machine.answered(1)
        #expect(machine.requestsInFlight == 0)
    }

    @Test func rejectsRequestsBeforeTheLoginInEveryState() throws {
        var machines: [ServerConnectionMachine] = [ServerConnectionMachine()]
        var machine = ServerConnectionMachine()
        _ = try machine.receive(.hello(), request: 0)
        machines.append(machine)
        _ = try machine.receive(.login(), request: 0)
        machines.append(machine)
        machine.challenged()
        machines.append(machine)
        for machine in machines {
            for message in [WireClientMessage.stat("a"), .cancel(1), .ping(), .put([10])] {
                var copy = machine
                #expect(throws: WireViolation.self) { try copy.receive(message, request: 1) }
            }
        }
    }

    @Test func rejectsStepsOfTheLoginOutOfTurn() throws {
        var machine = ServerConnectionMachine()
        var copy = machine
        #expect(throws: WireViolation.self) { try copy.receive(.login(), request: 0) }
        copy = machine
        #expect(throws: WireViolation.self) { try copy.receive(.hello(), request: 1) }
        _ = try machine.receive(.hello(), request: 0)
        copy = machine
        #expect(throws: WireViolation.self) { try copy.receive(.hello(), request: 0) }
        copy = machine
        #expect(throws: WireViolation.self) { try copy.receive(.proof(), request: 0) }
        _ = try machine.receive(.login(), request: 0)
        // While the server looks for its answer, nobody may hurry it.
        copy = machine
        #expect(throws: WireViolation.self) { try copy.receive(.login(), request: 0) }
        var open = try opened()
        for message in [WireClientMessage.hello(), .login(), .proof()] {
            var copy = open
            #expect(throws: WireViolation.self) { try copy.receive(message, request: 0) }
        }
        #expect(try begun(open.receive(.stat("a"), request: 1)) == 1)
    }

    @Test func refusesVersionsThatItDoesNotSpeakAndIgnoresTheRest() throws {
        var machine = ServerConnectionMachine()
        guard case .refuse(let error) = try machine.receive(.hello(2...3), request: 0) else {
            return #expect(Bool(false))
        }
        #expect(error.message.contains("version 1"))
        guard case .ignore = try machine.receive(.login(), request: 0) else { return #expect(Bool(false)) }
        var older = ServerConnectionMachine()
        #expect(try isWelcome(older.receive(.hello(0...7), request: 0)))
    }

    @Test func rejectsNumbersThatWereUsedBefore() throws {
        var machine = try opened()
        _ = try machine.receive(.stat("a"), request: 5)
        machine.answered(5)
        for number: UInt32 in [5, 4, 0] {
            for message in [WireClientMessage.stat("a"), .ping(), .cancel(5)] {
                var copy = machine
                #expect(throws: WireViolation.self) { try copy.receive(message, request: number) }
            }
        }
        #expect(try begun(machine.receive(.stat("a"), request: 9)) == 9)
    }

    @Test func rejectsMoreRequestsAtOnceThanAgreed() throws {
        var machine = try opened()
        for number in 1...UInt32(WireLimits.requestsMax) { _ = try machine.receive(.stat("a"), request: number) }
        var copy = machine
        #expect(throws: WireViolation.self) { try copy.receive(.stat("a"), request: 1000) }
        machine.answered(7)
        #expect(try begun(machine.receive(.stat("a"), request: 1000)) == 1000)
    }

    @Test func countsContentUntilItIsComplete() throws {
        var machine = try opened()
        _ = try machine.receive(.put([10, 20]), request: 1)
        #expect(try machine.receiveData(12, request: 1) == .deliver(isLast: false))
        #expect(try machine.receiveData(18, request: 1) == .deliver(isLast: true))
        var copy = machine
        #expect(throws: WireViolation.self) { try copy.receiveData(1, request: 1) }
        #expect(throws: WireViolation.self) { try machine.receiveData(1, request: 2) }
    }

    @Test func rejectsMoreContentThanAnnounced() throws {
        var machine = try opened()
        _ = try machine.receive(.put([10]), request: 1)
        #expect(throws: WireViolation.self) { try machine.receiveData(11, request: 1) }
    }

    @Test func rejectsMoreContentAtOnceThanAgreed() throws {
        var machine = try opened()
        let chunks = [Int](repeating: Chunker.maximumSize, count: 4)
        for number in 1...3 as ClosedRange<UInt32> {
            _ = try machine.receive(.put(chunks), request: number)
            _ = try machine.receiveData(chunks.reduce(0, +), request: number)
        }
        var copy = machine
        #expect(throws: WireViolation.self) { try copy.receive(.put([1]), request: 4) }
        machine.answered(1)
        #expect(try begun(machine.receive(.put([1]), request: 4)) == 4)
        var other = try opened()
        #expect(throws: WireViolation.self) { try other.receive(.put(chunks + [1]), request: 1) }
    }

    @Test func rejectsContentWithinAnotherContent() throws {
        var machine = try opened()
        _ = try machine.receive(.put([10]), request: 1)
        #expect(try machine.receiveData(9, request: 1) == .deliver(isLast: false))
        var copy = machine
        #expect(throws: WireViolation.self) { try copy.receive(.put([1]), request: 2) }
        #expect(try begun(machine.receive(.stat("a"), request: 3)) == 3)
        // It is over by its last byte, by its answer, or by being taken back.
        copy = machine
        #expect(try copy.receiveData(1, request: 1) == .deliver(isLast: true))
        #expect(try begun(copy.receive(.put([1]), request: 4)) == 4)
        copy = machine
        copy.answered(1)
        #expect(try begun(copy.receive(.put([1]), request: 4)) == 4)
        guard case .cancel(1) = try machine.receive(.cancel(1), request: 4) else { return #expect(Bool(false)) }
        #expect(try begun(machine.receive(.put([1]), request: 5)) == 5)
    }

    @Test func discardsTheContentOfARefusedRequest() throws {
        var machine = try opened()
        _ = try machine.receive(.put([10]), request: 1)
        #expect(try machine.receiveData(4, request: 1) == .deliver(isLast: false))
        machine.answered(1)
        #expect(try machine.receiveData(5, request: 1) == .discard)
        #expect(try machine.receiveData(1, request: 1) == .discard)
        #expect(throws: WireViolation.self) { try machine.receiveData(1, request: 2) }
    }

    @Test func keepsNothingOfRefusedRequestsWhoseContentNeverComes() throws {
        var machine = try opened()
        let size = String(reflecting: machine).count
        for number in 1...1000 as ClosedRange<UInt32> {
            _ = try machine.receive(.put([10]), request: number)
            machine.answered(number)
        }
        #expect(String(reflecting: machine).count <= size + 10)
    }

    @Test func cancelsARequestOnceAndNoOther() throws {
        var machine = try opened()
        _ = try machine.receive(.put([10]), request: 1)
        guard case .cancel(1) = try machine.receive(.cancel(1), request: 2) else { return #expect(Bool(false)) }
        guard case .ignore = try machine.receive(.cancel(9), request: 3) else { return #expect(Bool(false)) }
        guard case .ignore = try machine.receive(.cancel(1), request: 4) else { return #expect(Bool(false)) }
        var copy = machine
        #expect(throws: WireViolation.self) { try copy.receiveData(1, request: 1) }
        machine.answered(1)
        guard case .ignore = try machine.receive(.cancel(1), request: 5) else { return #expect(Bool(false)) }
    }

    @Test func rejectsOffersThatLieAboutLengths() throws {
        for length in [0, Chunker.maximumSize + 1] {
            var machine = try opened()
            #expect(throws: WireViolation.self) { try machine.receive(.put([length]), request: 1) }
        }
        var machine = try opened()
        var message = WireClientMessage()
        message.put.chunks.packed = Data(repeating: 1, count: 35)
        #expect(throws: WireViolation.self) { try machine.receive(message, request: 1) }
    }

    private func opened() throws -> ServerConnectionMachine {
        var machine = ServerConnectionMachine()
        _ = try machine.receive(.hello(), request: 0)
        _ = try machine.receive(.login(), request: 0)
        machine.opened()
        return machine
    }

    private func isWelcome(_ action: ServerConnectionMachine.Action) -> Bool {
        if case .welcome = action { true } else { false }
    }

    private func begun(_ action: ServerConnectionMachine.Action) -> UInt32? {
        if case .begin(let id, _, _) = action { id } else { nil }
    }
}
