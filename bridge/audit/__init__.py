"""What happened, append-only.

This package owns the vocabulary of events, their durable record, its order and its proof, and the reading of it. It
promises that :meth:`~bridge.audit.log.AuditLog.append` returns only when the records are on disk, and raises otherwise,
so that a caller that records first and releases afterwards can never release something unrecorded. It knows nothing of
the stages that it records: an event holds plain strings and numbers.

Beside the modules here, which write records, give them their order and read them: ``proof`` makes the log believable,
``keeping`` looks after its database, ``search`` finds, ``export`` and ``forwarding`` take records elsewhere, ``trail``
ties them to the cloud's own, ``alerts`` tell somebody at once.
"""
