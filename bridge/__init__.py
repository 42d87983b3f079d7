"""Rambridge: from an enterprise identity provider to exactly the RAM roles that IT has written down.

Five stages, each a package, each handing a type of its own to the next::

    identity      who is this?                                  → VerifiedIdentity
    entitlements  what may they become, and which one now?      → Entitlement, Choice
    exchange      trade the choice at the account's STS         → TemporaryCredentials
    delivery      put it into someone's hands                   → a form, a text
    sessions      what is remembered about a signed-in person between requests
    audit         every arrow, accepted or refused, recorded before anything is released

``federation`` is the line through them: short functions, one for each arrow. The doors into it are ``web`` (people with
browsers), ``sts_endpoint`` (programs, through the SDKs of Alibaba Cloud), ``portal_protocol`` (people's programs,
through its CLI and SDKs), ``authorization`` (our own command, by OAuth, which then asks the API of ``web``) and ``cli``
(people with terminals). ``app`` wires everything, out of the modules of ``wiring`` and ``parties``; nothing else builds
clients. ``rollout`` brings other rules into force, on every node, and back.

``language`` is open to all: what people read is said by it, in their language, from the catalogues in ``words/``.

Under the stages lie ``errors``, ``advice``, ``clock``, ``keys``, ``sealing``, ``destinations``, ``outbound``,
``store_address``, ``store_connection``, ``machine_credentials``, ``described`` (models), ``yaml_documents`` and
``sts_wire`` (Alibaba Cloud's STS wire format). ``settings`` is what an operator can set.
``sandbox`` stands in for the other two parties, an enterprise IdP and the cloud, in the demo and the tests.
``preview`` replays the sign-ins that ``history`` keeps against other rules, for a page and a command.
``setup`` knows what RAM must have for a configuration, and examines a whole installation, for two commands.
``ram_policies`` judges what roles may do by policies that were read from RAM, and ``pasted`` finds with it the least
powerful role for what somebody pastes into the portal.
``client`` runs on people's machines and hands credentials to what is started there; it knows nothing of the service.
``attack`` is what attackers send, as data, and a sealed lane to send it in; only its command and the tests load it.

Arrows point down only: who may import whom is a table in ``tests/architecture/test_imports.py``.
"""

__version__ = "0.1.0"
