"""What an auditor wants to be told at once: rules over the records, each looked at once.

``rules`` says which records signal what, ``counting`` makes alerts of signals, ``conditions`` sees what is no record;
none of them knows a database. ``watcher`` runs them over the log, ``delivery`` tells the service's log and a webhook,
``board`` is what pages and commands read.

An alert is opened once, however many processes look and however often they restart: what was looked at and what came
of it are one transaction. It ends when nothing of its kind has happened for a while, and the end is told as well.
"""
