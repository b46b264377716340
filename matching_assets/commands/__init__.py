"""The commands: each reads files, calls one function of the domain, and says what came out. Nothing is decided here."""
