extension EngineGuard {
    package struct Settings: Sendable {
        package enum NewNetwork: Sendable, Hashable {
            /// With this IPv4 subnet: "172.31.240.0/24".
            case subnet(String)
            /// With one that the engine finds free.
            case free
        }

        /// The socket that it makes.
        package var listen: String
        /// The engine's.
        package var engine: String
        /// Whose containers may be touched: `docker.owner`.
        package var owner = "sallyport"
        /// The one network of exits: `docker.network`.
        package var network = "sallyport"
        /// The name of the exits' image, without its tag.
        package var repository = "sallyport-exit"
        /// The one archive that may become an image, and the only image that exits are then made of. Nil lets no archive through, and
        /// takes whatever image of that name the engine has.
        package var imageArchive: String?
        /// How the network is made where there is none; nil leaves that to somebody else.
        package var newNetwork: NewNetwork?
        /// The only group whose members may connect; nil lets everybody who reaches the socket.
        package var group: String?
        /// Requests at the same time; others wait.
        package var connections = 128
        /// Seconds for a whole request, without an image's archive; and for that.
        package var requestSeconds = 10.0
        package var archiveSeconds = 120.0
        /// Seconds of an engine that says nothing, where it is not asked to stream.
        package var silenceSeconds = 660.0

        package init(listen: String, engine: String) {
            self.listen = listen
            self.engine = engine
        }
    }
}
