/// Every bound of the protocol; both sides keep them, and end a connection whose peer does not.
package enum WireLimits {
    /// The payload of one frame, in bytes.
    package static let frameBytesMax = 256 << 10
    /// A client's message, put together from its frames, in bytes.
    package static let clientMessageBytesMax = 1 << 20
    /// A server's message, put together from its frames, in bytes.
    package static let serverMessageBytesMax = 32 << 20
    /// The parts of a client's message, such as the files of a batch.
    package static let clientMessagePartsMax = 4096
    /// The elements of all lists of a client's message, such as the tags of all files of a batch.
    package static let clientMessageElementsMax = 1 << 15
    /// The parts of a server's message, such as the versions of a name; none that is honest has fewer than 64
    /// bytes in the mean.
    package static let serverMessagePartsMax = serverMessageBytesMax / 64
    /// A message about events of hooks, in bytes.
    package static let hookMessageBytesMax = 32 << 20
    /// Messages within messages.
    package static let messageDepthMax = 8
    /// A message before the login, in bytes.
    package static let loginMessageBytesMax = 16 << 10
    /// How often a client lets a server have a password hashed for a login; fewer make it cheap to guess.
    package static let scramIterations = 4_096...1_000_000
    /// The salt of a login by password, in bytes.
    package static let scramSaltBytes = 8...64
    /// The nonce of a login by password, both sides' halves together, in bytes.
    package static let scramNonceBytesMax = 512
    /// A certificate in DER, in bytes.
    package static let certificateBytesMax = 64 << 10
    /// Chunks of one offer, put or layout.
    package static let chunksMax = 256
    /// Bytes of content of one put or fetch.
    package static let contentBytesMax = 16 << 20
    /// Files of one batch of small ones, or changes of one request.
    package static let batchMax = 512
    /// Requests of one connection that are not answered yet.
    package static let requestsMax = 64
    /// Bytes of content of one connection's requests that are not answered yet.
    package static let requestBytesMax = 48 << 20
}
