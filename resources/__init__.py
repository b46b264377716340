"""One interface a capability, with a local and an AWS class side by side; `for_environment()` is the only switch."""
