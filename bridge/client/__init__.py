"""What runs beside people's programs: it signs a terminal in, and hands credentials to what is started there.

Owns the terminal's token (``token_file``), the way to get one (``device_flow``), the questions to the service
(``portal``) and the two hand-overs: the output of a process (``credentials``) and a server on loopback (``agent``).

It imports nothing of the service, and no library but the standard one, so that it starts at once and can be installed
alone. Promises: what is secret is in a file of the person's own or in memory, never in an argument or an address that
anybody but the person's own programs can know; standard output has what was asked for, and nothing else.
"""
