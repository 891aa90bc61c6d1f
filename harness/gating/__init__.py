"""Whether one client is slower than another, or loses messages that the other one does not, for CI to stop it."""
