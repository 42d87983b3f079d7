"""How the provider says no: a page of its own, and nothing sent to anybody else."""


class Refused(Exception):
    """The request cannot be honoured. ``reason`` is ours: nothing of the request is repeated in it.

    Real providers tell a stranger less. This one is read by the people who build the other side.
    """

    def __init__(self, code: str, reason: str, status: int = 400) -> None:
        """Take a stable code, one sentence for the page, and the HTTP status."""
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
        self.status = status
