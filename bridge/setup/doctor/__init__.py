"""``rambridge doctor``: the whole chain from our keys to credentials, link by link, each with what to do about it."""
