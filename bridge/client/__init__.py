"""What runs on the machines of people who have roles: it signs a terminal in, and hands credentials to programs.

Owns the tokens (``token_store``, ``token_file``), the ways to get them (``oauth``, ``sign_in``, ``loopback``), the
questions to the service (``service``, ``access``, ``roles``), and the hand-overs: the output of a process
(``credentials``), a server on loopback (``agent``), profiles for the CLI and the SDKs (``aliyun_profiles``). Processes
that ask at the same moment take ``turns``.

It imports nothing of the service, and no library but keyring, so that it starts at once and can be installed alone.
Promises: what is secret is in a keychain, in a file of the person's own or in memory, never in an argument or an
address that anybody but the person's own programs can know; standard output has what was asked for, and nothing else.
"""
