"""The words of pages: every text passes through here on its way to a page."""


def translate(message: str, **values: object) -> str:
    """Return the message with its ``%(name)s`` places filled in."""
    return message % values if values else message
