"""What can go wrong on this side: one sentence for the person, and one exit code for scripts, for each kind."""

_TOO_MANY = 429
_SERVER_ERROR = 500


class ClientError(Exception):
    """It did not work; the text says why, and what to do."""

    exit_code = 1
    kind = "failed"

    def __init__(self, message: str, reference: str = "") -> None:
        """Take the sentence, and the service's reference number where it gave one."""
        super().__init__(message)
        self.reference = reference


class SignedOut(ClientError):
    """The service does not know this terminal, or not any more: somebody has to sign in."""

    exit_code = 3
    kind = "sign_in_needed"


class Refused(ClientError):
    """The service said no. ``code`` is its own."""

    exit_code = 4
    kind = "refused"

    def __init__(self, message: str, code: str, reference: str = "") -> None:
        """Take the service's sentence, code and reference number."""
        text = f"{message} [{code}, reference {reference}]" if reference else f"{message} [{code}]"
        super().__init__(text, reference)
        self.code = code


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


def refusal_of(status: int, message: str, code: str, reference: str) -> ClientError:
    """Return what an answer other than the one that was asked for means: Refused, or Unreachable where it may pass."""
    refusal = Refused(message or "The service refused this.", code or str(status), reference)
    return Unreachable(str(refusal), reference) if status >= _SERVER_ERROR or status == _TOO_MANY else refusal


def clean(text: object) -> str:
    """Return text that cannot move the cursor or colour the terminal, whatever a service put into it."""
    return "".join(character for character in str(text or "") if character.isprintable())[:400]
