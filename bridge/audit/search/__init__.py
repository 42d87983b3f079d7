"""Finding records: what an auditor asks for, and where it stands.

Everything here goes by ``audit_index`` and by tables that are computed from the records; none of it proves anything.
Pages go by position, newest first, never by counting: how far back a record lies does not matter.
"""
