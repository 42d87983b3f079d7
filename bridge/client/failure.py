"""What can go wrong on this side: one sentence for the person, and one exit code for scripts, for each kind."""

from bridge.language import mark, translate

REASONS = (
    mark("Address already in use"),
    mark("Connection refused"),
    mark("Connection reset by peer"),
    mark("Connection timed out"),
    mark("Hostname mismatch"),
    mark("Is a directory"),
    mark("Name or service not known"),
    mark("Network is unreachable"),
    mark("No route to host"),
    mark("No space left on device"),
    mark("No such file or directory"),
    mark("Not a directory"),
    mark("Permission denied"),
    mark("Read-only file system"),
    mark("Temporary failure in name resolution"),
    mark("certificate has expired"),
    mark("nodename nor servname provided, or not known"),
    mark("self-signed certificate"),
    mark("self-signed certificate in certificate chain"),
    mark("unable to get local issuer certificate"),
)
"""What systems and OpenSSL say most often when something fails. The rest is passed on as they say it."""

_TOO_MANY = 429
_SERVER_ERROR = 500


class ClientError(Exception):
    """It did not work; the text says why, and what to do."""

    exit_code = 1
    kind = "failed"
    code = ""
    """The service's code for what it refused, or ours for what it would refuse."""

    def __init__(self, message: str, reference: str = "") -> None:
        """Take the sentence, and the service's reference number where it gave one."""
        super().__init__(message)
        self.reference = reference


class NotSaid(ClientError):
    """Nothing says which service or which role is meant."""

    exit_code = 2
    kind = "usage"


class SignedOut(ClientError):
    """The service does not know this terminal, or not any more: somebody has to sign in."""

    exit_code = 3
    kind = "sign_in_needed"


class Refused(ClientError):
    """The service said no, or would."""

    exit_code = 4
    kind = "refused"

    def __init__(self, message: str, code: str, reference: str = "") -> None:
        """Take the sentence, and of what the service itself refused its code and reference number."""
        text = message
        if reference:
            text = translate(
                "%(said)s [%(code)s, reference %(reference)s]", said=message, code=code, reference=reference
            )
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
    refusal = Refused(message or translate("The service refused this."), code or str(status), reference)
    if status < _SERVER_ERROR and status != _TOO_MANY:
        return refusal
    passing = Unreachable(str(refusal), reference)
    passing.code = refusal.code
    return passing


def name_reason(error: object) -> str:
    """Return what the system says of a failure, without its number."""
    text = getattr(error, "strerror", None) or getattr(error, "verify_message", None) or str(error)
    text = clean(text or type(error).__name__).rstrip(".")
    mismatch, _, rest = text.partition(", certificate is not valid for ")
    return f"{translate(mismatch)} ({rest})" if rest else translate(text)


def plain(value: object) -> str:
    """Return a token, code or address as it is. Raises ValueError unless it is printable ASCII, as they all are.

    Any other would fail where it is used, or move the cursor where it is printed.
    """
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise ValueError("no text of printable ASCII")
    return value


def clean(text: object) -> str:
    """Return text that cannot move the cursor or colour the terminal, whatever a service put into it."""
    return "".join(character for character in str(text or "") if character.isprintable())[:400]
