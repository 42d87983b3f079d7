"""What each event is called, for people who choose one."""

from collections.abc import Mapping

from bridge.language import mark, translate

NAMES: Mapping[str, str] = {
    "sign_in.accepted": mark("Signed in"),
    "sign_in.refused": mark("Sign-in refused"),
    "sign_in.explained": mark("Sign-in of somebody looked at"),
    "session.ended": mark("Session ended"),
    "logout.accepted": mark("Sign-out by the provider"),
    "logout.refused": mark("Sign-out by the provider refused"),
    "entitlements.resolved": mark("Roles decided"),
    "choice.made": mark("Role chosen"),
    "choice.refused": mark("Role not granted"),
    "call.refused": mark("Signed call refused"),
    "device.authorized": mark("Terminal allowed"),
    "device.refused": mark("Terminal refused"),
    "authorization.granted": mark("Program allowed"),
    "authorization.refused": mark("Program refused"),
    "grant.refused": mark("Code or token refused"),
    "terminal.opened": mark("Token given to a program"),
    "administration.refused": mark("Administrator's page refused"),
    "audit.refused": mark("Auditor's page refused"),
    "audit.searched": mark("Records searched"),
    "audit.person_opened": mark("Person's records looked at"),
    "audit.exported": mark("Records exported"),
    "audit.erased": mark("Person erased"),
    "audit.retired": mark("Old records deleted"),
    "audit.search_rebuilt": mark("Search rebuilt"),
    "audit.key_changed": mark("Key of the log changed"),
    "exchange.issued": mark("Credentials issued"),
    "exchange.reused": mark("Credentials given again"),
    "exchange.refused": mark("No credentials issued"),
    "doctor.exchanged": mark("Way to STS tried"),
    "doctor.refused": mark("Way to STS tried in vain"),
    "delivery.credentials": mark("Credentials handed over"),
    "delivery.console": mark("Console opened"),
    "metadata.keys_changed": mark("Provider's certificates changed"),
    "rules.promoted": mark("Rules brought into force"),
    "rules.rolled_back": mark("Rules rolled back"),
    "rules.files_taken": mark("Rules taken from files"),
    "rules.held": mark("Rules held for a second person"),
    "rules.refused": mark("Change of rules refused"),
    "rules.not_loaded": mark("Rules not taken over"),
    "clock.stepped_back": mark("Clock set back"),
    "repeated.refused": mark("Refusals counted together"),
    "trail.imported": mark("ActionTrail imported"),
}
THINGS: Mapping[str, str] = {
    "sign_in": mark("Everything about sign-ins"),
    "session": mark("Everything about sessions"),
    "logout": mark("Everything about sign-outs"),
    "entitlements": mark("Everything about decided roles"),
    "choice": mark("Everything about chosen roles"),
    "call": mark("Everything about signed calls"),
    "device": mark("Everything about terminals"),
    "authorization": mark("Everything about programs"),
    "grant": mark("Everything about codes and tokens"),
    "terminal": mark("Everything about programs' tokens"),
    "administration": mark("Everything about administrators' pages"),
    "audit": mark("Everything about the audit log"),
    "exchange": mark("Everything about issued credentials"),
    "doctor": mark("Everything about the doctor"),
    "delivery": mark("Everything handed over"),
    "metadata": mark("Everything about providers' certificates"),
    "rules": mark("Everything about rules"),
    "clock": mark("Everything about clocks"),
    "repeated": mark("Everything counted together"),
    "trail": mark("Everything about ActionTrail"),
}
"""The first part of an event's name alone: all events of that thing."""


def name_event(event: str) -> str:
    """Return the name of an event, or of all events of a thing; the event itself if it has none."""
    name = NAMES.get(event) or THINGS.get(event)
    return translate(name) if name else event
