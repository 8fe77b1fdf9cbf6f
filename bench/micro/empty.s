// Lets peers.go declare functions without bodies.
