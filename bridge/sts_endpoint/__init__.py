"""The door for programs: an STS of our own at ``/``, which unmodified SDKs of Alibaba Cloud call.

``door`` tells its requests from those for pages and answers in the vendor's shapes; ``actions`` has the four actions;
``parameters`` reads theirs; ``callers`` decides who signed a request, by the credentials that ``issued`` remembers;
``budget`` bounds how often one address or caller may ask. What a request means is decided by ``sts_wire`` alone, and
everything goes through ``federation``: verified, resolved by the same rules, exchanged upstream and recorded before it
is released.
"""
