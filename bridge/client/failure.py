"""What can go wrong on this side, in one sentence for the person."""


class ClientError(Exception):
    """It did not work; the text says why, and what to do."""


class SignedOut(ClientError):
    """The service does not know this terminal (any more)."""


class Refused(ClientError):
    """The service said no. ``code`` and ``reference`` are its own."""

    def __init__(self, message: str, code: str, reference: str) -> None:
        """Take the service's sentence, code and reference number."""
        super().__init__(f"{message} [{code}, reference {reference}]" if reference else f"{message} [{code}]")
        self.code = code
        self.reference = reference
