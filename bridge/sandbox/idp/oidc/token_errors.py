"""How the token endpoint says no (RFC 6749 5.2)."""


class TokenRefused(Exception):
    """The token request is refused."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        """Take an error code of RFC 6749 5.2, a sentence, and the HTTP status."""
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status
