/// What the server calls itself towards clients.
enum ServerProgram {
    static let name = "minivault"
}
