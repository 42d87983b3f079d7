"""Records handed on as they are made: to syslog over TLS, to a webhook, to Alibaba Cloud's Simple Log Service.

Each receiver has a place in the log (``cursor.py``): the first record that it does not have for certain. A sender takes
what stands there, in order, and moves the place on once the receiver has said that it has them. So none is lost however
often either side dies, none overtakes another, and one that was under way at such a moment comes a second time: its
``position`` tells.
"""
