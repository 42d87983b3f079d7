"""What each sign-in gave the rules to decide on, kept so that a change of the rules can be tried on it."""
