"""Records in forms that others read, as files: on demand and by schedule.

A form (``forms.py``) turns records into lines of text: JSON Lines, which loses nothing; CSV for spreadsheets; OCSF for
security tools. A *bundle* is what an auditor takes away: the records as they are in the log, with what proves them.

What a record says of a person is *opened* or stays *sealed*. Only what stays sealed is gone from an exported file too
once its key is destroyed.
"""
