"""The store of the service that runs here, for commands."""

from bridge.embedded_store import find
from bridge.errors import StoreUnavailable
from bridge.settings import Settings
from bridge.store_connection import RedisClient, connect_store


def connect_running_store(settings: Settings) -> RedisClient:
    """Return a client of the store that the service uses; nothing is started. Raises StoreUnavailable."""
    url = find(settings.data_folder / "store") if settings.store == "embedded" else settings.store
    if url is None:
        raise StoreUnavailable("the service's own store does not run here")
    return connect_store(url, **settings.store_credentials())
