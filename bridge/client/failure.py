"""What can go wrong on this side: one sentence for the person, and one exit code for scripts, for each kind."""


class ClientError(Exception):
    """It did not work; the text says why, and what to do."""

    exit_code = 1
    kind = "failed"


class SignedOut(ClientError):
    """The service does not know this terminal, or not any more: somebody has to sign in."""

    exit_code = 3
    kind = "sign_in_needed"


class Refused(ClientError):
    """The service said no. ``code`` and ``reference`` are its own."""

    exit_code = 4
    kind = "refused"

    def __init__(self, message: str, code: str, reference: str = "") -> None:
        """Take the service's sentence, code and reference number."""
        super().__init__(f"{message} [{code}, reference {reference}]" if reference else f"{message} [{code}]")
        self.code = code
        self.reference = reference


class Unreachable(ClientError):
    """The service cannot be reached, or is in trouble: later it may work."""

    exit_code = 5
    kind = "unreachable"


class WrongService(ClientError):
    """What answers there is no Rambridge, or none that this command can trust."""

    exit_code = 6
    kind = "wrong_service"


class ClockWrong(ClientError):
    """This machine's clock differs too much for anything to be valid at both ends."""

    exit_code = 7
    kind = "clock_wrong"


class SignInFailed(ClientError):
    """Nobody signed in, or refused to, or there was no way to ask."""

    exit_code = 8
    kind = "sign_in_failed"


def clean(text: object) -> str:
    """Return text that cannot move the cursor or colour the terminal, whatever a service put into it."""
    return "".join(character for character in str(text or "") if character.isprintable())[:400]
