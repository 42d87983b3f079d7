"""The one door of all services: a request is read, its signature verified, and the service that it names is asked.

RAM and IMS have hosts of their own in the live cloud. Here SDKs reach every service at one address, and the version,
which each request names, tells them apart.
"""

import logging
import uuid
from collections.abc import Mapping
from typing import cast

from bridge.clock import Clock
from bridge.sandbox.cloud import access, check_access, ims, ram, resource_manager
from bridge.sandbox.cloud.access import build_context
from bridge.sandbox.cloud.authentication import Authenticator
from bridge.sandbox.cloud.callers import Caller
from bridge.sandbox.cloud.directory import Directory
from bridge.sandbox.cloud.documents import Documents
from bridge.sandbox.cloud.entities import Account
from bridge.sandbox.cloud.management.operation import Operation, Request, Result
from bridge.sandbox.cloud.policy import Context, Question
from bridge.sandbox.cloud.sts import STS
from bridge.sts_wire.reply import Fields, Format, Reply, STSFault, build_fault, build_fault_reply, build_reply
from bridge.sts_wire.request import (
    STS_ACTIONS,
    VERSION,
    Action,
    RawRequest,
    RPCRequest,
    Services,
    find_format,
    parse_rpc_request,
)

MANAGED: Mapping[str, tuple[str, Mapping[str, Operation]]] = {
    ram.VERSION: ("ram", ram.OPERATIONS),
    ims.VERSION: ("ram", ims.OPERATIONS),
    resource_manager.VERSION: ("resourcemanager", resource_manager.OPERATIONS),
}
"""For each version, what its actions are called in policies, and the actions."""

SERVICES: Services = {
    **STS_ACTIONS,
    **{
        version: {name: operation.parameters for name, operation in operations.items()}
        for version, (_, operations) in MANAGED.items()
    },
    check_access.VERSION: {check_access.ACTION: check_access.PARAMETERS},
}

_log = logging.getLogger(__name__)


class Gateway:
    """Answers every RPC request; every refusal, even an unforeseen one, has the vendor's shape."""

    def __init__(
        self, directory: Directory, documents: Documents, authenticator: Authenticator, sts: STS, clock: Clock
    ) -> None:
        self._directory = directory
        self._documents = documents
        self._authenticator = authenticator
        self._sts = sts
        self._clock = clock

    def answer(self, raw: RawRequest, source_ip: str, host_id: str, *, secure: bool) -> Reply:
        """Return the answer to a request; ``host_id`` is the endpoint's host name."""
        request_id = str(uuid.uuid4()).upper()
        form: Format = "JSON"
        try:
            form = find_format(raw)
            request = parse_rpc_request(raw, SERVICES)
            fields = self._dispatch(request, source_ip, secure=secure)
            return build_reply(request.action, request_id, fields, request.form)
        except STSFault as fault:
            return build_fault_reply(fault, request_id, host_id, form)
        except Exception:  # noqa: BLE001 - the last door: even a fault of ours has the vendor's shape
            _log.exception("request %s failed", request_id)
            return build_fault_reply(build_fault("InternalError"), request_id, host_id, form)

    def _dispatch(self, request: RPCRequest, source_ip: str, *, secure: bool) -> Fields:
        caller = self._authenticator.verify_caller(request.signature, source_ip) if request.signature else None
        if request.version == VERSION:
            action = cast("Action", request.action)
            return self._sts.answer(action, request.parameters, caller, source_ip, secure=secure)
        if caller is None:
            raise build_fault("IncompleteSignature")
        context = build_context(caller, source_ip, self._clock.now(), secure=secure)
        if request.version == check_access.VERSION:
            return check_access.check_access(self._directory.state, caller, request.parameters, context)
        return self._manage(request, caller, context)

    def _manage(self, request: RPCRequest, caller: Caller, context: Context) -> Fields:
        """Run a management action on the caller's account, if the caller's policies allow it."""
        service, operations = MANAGED[request.version]
        operation = operations[request.action]
        account_id = caller.arn.account
        resource = operation.build_resource(account_id, request.parameters)
        question = Question(f"{service}:{request.action}", resource, context)
        access.check_access(self._directory.state, caller, question)

        def run(account: Account) -> Result:
            return operation.run(Request(account, request.parameters, self._clock.now(), caller, self._documents))

        return self._directory.change(account_id, run)
