"""The errors, as one tree; every refusal that a person or a script can meet is a leaf of it.

::

    BridgeError
    ├── SettingsError              start-up only; carries every problem found
    ├── IdentityError              the provider's statement is not acceptable
    │   ├── Malformed                cannot be parsed, wrong shape, too large
    │   ├── UntrustedIssuer          not the provider that this flow belongs to
    │   ├── BadSignature             missing, wrong, wrong algorithm, or over something else
    │   ├── WrongAudience            not meant for us
    │   ├── WrongRecipient           not meant for this address
    │   ├── OutsideValidity          expired, not yet valid, or valid for too long
    │   ├── NotOurQuestion           state, nonce, InResponseTo or browser does not match
    │   ├── Replayed                 seen before
    │   ├── MissingClaim             a required statement is absent or ambiguous
    │   ├── LogoutRefused            a message about signing out is not acceptable
    │   └── ProviderUnavailable      the provider could not be asked; worth trying again
    ├── SessionError               SessionMissing · SessionExpired · TerminalTokenUnknown · AccessTokenUnknown
    ├── AccessError                NotEntitled · NotAdministrator · NotAuditor · CrossSiteRequest
    │                              NotFound · UserCodeUnknown
    ├── RequestError               BadParameter · TooLarge · TooManyRequests · AskedTooOften
    │                              FetchRefused
    │                              DeviceNotYetAllowed · DeviceOver · DeviceRefused
    │   └── OAuthError               a program asks for something that OAuth, as we speak it, does not give
    ├── FetchFailed                our own outgoing request got no complete answer
    ├── ExchangeError              ExchangeMismatch · SessionEndsTooSoon · TerminalNotGranted
    │   ├── ExchangeRefused        STS said no: one class for each thing that somebody can do about it
    │   └── ExchangeUnavailable    ExchangeThrottled · ExchangePaused; worth trying again
    ├── AuditError                 AuditUnavailable · AuditLayout · RetentionRefused · ChainBroken
    │                              WitnessFailed · ForwardingFailed · ExportFailed · TrailUnreadable
    ├── RolloutError               VersionUnknown · RequestUnknown · RequestStale · SamePerson
    │                              RulesUnchanged · RolloutUnavailable
    ├── KeyMissing · KeyUnusable   the key folder is not as it should be
    ├── StoreUnavailable           Redis cannot be reached; worth trying again
    ├── HistoryUnavailable         what is kept of sign-ins cannot be read
    ├── Unsealable                 a stored value that we did not put there
    ├── SetupFailed                RAM could not be read or changed
    └── DemoFailed                 `rambridge demo` could not show what it should

A class has a ``code`` (stable, lower case, safe to show: scripts and dashboards key on it) and a ``public``
sentence (what happened and what to do next). An instance has a ``detail``, which is for the log and the audit
record alone. Errors know nothing of HTTP, XML or exit codes: each door keeps one table of its own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.language import mark


class BridgeError(Exception):
    """The root of the tree; never raised itself."""

    code = "internal"
    public = mark("Something went wrong on our side. Try again; if it happens again, give IT the reference number.")

    def __init__(self, detail: str = "") -> None:
        """Take the ``detail`` for log and audit: never a secret, a token or a whole message."""
        super().__init__(detail or self.code)
        self.detail = detail


@dataclass(frozen=True)
class Wanted:
    """What somebody asked for and did not get: one thing by its id, or what they typed or followed a link to."""

    entitlement: str = ""
    account: str = ""
    """Its name, alias or number."""
    kind: str | None = None
    """``role`` or ``user``; None: either."""
    name: str | None = None
    """None: anything in the account."""
    link: str = ""
    """The path of ours that led to it, to lead on to afterwards."""


NOTHING_NAMED = Wanted()


# ── Settings ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the configuration: where, what, and what to write instead."""

    file: Path
    line: int
    column: int
    message: str
    fix: str
    severity: str = "error"
    kind: str = "invalid"
    """Stable name of what kind of finding it is, which programs key on; settings/finding_kinds.py lists them."""

    def __str__(self) -> str:
        """Write the problem the way compilers do, so that editors find the place."""
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message}\n    {self.fix}"


class SettingsError(BridgeError):
    """The configuration cannot be used; ``problems`` holds every fault found in one reading."""

    code = "settings_invalid"
    public = mark("The configuration is not valid. Run `rambridge check` to see every problem at once.")

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Take all problems of one reading."""
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


# ── Identity ─────────────────────────────────────────────────────────────────────────────────────────────────


class IdentityError(BridgeError):
    """The provider's statement is not acceptable. It says nothing about the person: start again."""

    code = "identity_refused"
    public = mark(
        "The answer of your identity provider could not be accepted. Start again; if this happens again, give IT the "
        "reference number."
    )


class Malformed(IdentityError):
    """The message has a shape that no honest provider sends."""


class SAMLBase64(Malformed):
    """The ``SAMLResponse`` field is not strict base64."""

    code = "saml_base64"
    public = mark(
        "The answer of your identity provider did not arrive whole. Start again; if this happens again, give IT the "
        "reference number."
    )


class SAMLNotXML(Malformed):
    """The decoded message is not one well-formed XML document."""

    code = "saml_not_xml"
    public = mark(
        "The answer of your identity provider did not arrive whole. Start again; if this happens again, give IT the "
        "reference number."
    )


class SAMLEncoding(Malformed):
    """The document is not UTF-8."""

    code = "saml_encoding"


class SAMLDTD(Malformed):
    """The document carries a DOCTYPE or an entity."""

    code = "saml_dtd"


class SAMLTooLarge(Malformed):
    """The message is larger than an honest one gets."""

    code = "saml_too_large"
    public = mark(
        "Your identity provider sent more about you than is accepted here, most often because you are in very many "
        "groups. Ask IT to let it send fewer."
    )


class SAMLTooComplex(Malformed):
    """Too deep, too many elements, attributes, values or namespaces."""

    code = "saml_too_complex"
    public = mark(
        "Your identity provider sent more about you than is accepted here, most often because you are in very many "
        "groups. Ask IT to let it send fewer."
    )


class SAMLCommentOrPI(Malformed):
    """A comment or processing instruction: two programs could read the text around it differently."""

    code = "saml_comment_or_pi"


class SAMLRoot(Malformed):
    """The document is not a ``samlp:Response``."""

    code = "saml_root"


class SAMLSchema(Malformed):
    """The verified element does not follow the SAML schema."""

    code = "saml_schema"


class SAMLId(Malformed):
    """An identifier is missing, not an NCName, used twice, or hidden in a foreign attribute."""

    code = "saml_id"


class SAMLAssertionCount(Malformed):
    """Not exactly one assertion as a child of the response."""

    code = "saml_assertion_count"


class SAMLVersion(Malformed):
    """Not SAML 2.0."""

    code = "saml_version"


class SAMLStatus(Malformed):
    """The provider answered with an error status instead of a sign-in."""

    code = "saml_status"
    public = mark(
        "Your identity provider did not complete the sign-in: it was cancelled, or you may not use this service yet. "
        "Start again, or ask IT for access."
    )


class SAMLTimeFormat(Malformed):
    """A time is not written in UTC with ``Z``, or is no real date."""

    code = "saml_time_format"


class SAMLSubject(Malformed):
    """Not exactly one ``Subject``."""

    code = "saml_subject"
    public = mark(
        "Your identity provider did not say clearly who you are. Starting again will not help: give IT the reference "
        "number."
    )


class SAMLNameID(Malformed):
    """The ``NameID`` is missing, empty, too long, structured, or qualified for somebody else."""

    code = "saml_nameid"
    public = mark(
        "Your identity provider did not say clearly who you are. Starting again will not help: give IT the reference "
        "number."
    )


class SAMLConfirmation(Malformed):
    """No bearer confirmation that can be satisfied."""

    code = "saml_confirmation"


class SAMLConditions(Malformed):
    """``Conditions`` are absent, or hold a condition that we do not know and so cannot meet."""

    code = "saml_conditions"


class SAMLAuthnStatement(Malformed):
    """Not exactly one ``AuthnStatement``."""

    code = "saml_authnstatement"


class SAMLAttributeStructured(Malformed):
    """A value has child elements, so that its text could be read in part."""

    code = "saml_attribute_structured"


class SAMLEncrypted(Malformed):
    """What is encrypted was not, or could not be, opened. Why is for the audit record alone: see ``decryption``."""

    code = "saml_decrypt"


class SAMLAuthnContext(Malformed):
    """The person did not authenticate in one of the ways that we asked for."""

    code = "saml_authn_context"
    public = mark(
        "You did not sign in at your identity provider in the way that is required here, for example with a second "
        "factor. Sign out there, then start again."
    )


class SAMLNotEncrypted(Malformed):
    """The assertion came in the clear, and this provider must encrypt."""

    code = "saml_not_encrypted"


class ParameterTwice(Malformed):
    """A protocol parameter came twice, or is missing."""

    code = "web_parameter_twice"
    public = mark(
        "The answer of your identity provider did not arrive whole. Start again; if this happens again, give IT the "
        "reference number."
    )


class OIDCSize(Malformed):
    """The token or an answer is larger than an honest one gets."""

    code = "oidc_size"
    public = mark(
        "Your identity provider sent more about you than is accepted here, most often because you are in very many "
        "groups. Ask IT to let it send fewer."
    )


class OIDCForm(Malformed):
    """Not a three-part compact token in canonical base64url."""

    code = "oidc_form"


class OIDCJSON(Malformed):
    """The JSON is ambiguous: duplicate members, NaN, unbounded numbers, lone surrogates, or no object."""

    code = "oidc_json"


class OIDCDecryption(Malformed):
    """Something encrypted was not opened: the same for every reason, so that nobody learns from it."""

    code = "oidc_decrypt"


class OIDCNotEncrypted(Malformed):
    """The ID token came in the clear, and this provider must encrypt."""

    code = "oidc_not_encrypted"


class OIDCHeader(Malformed):
    """The header asks for something that an ID token must not: ``crit``, ``zip``, ``jku``, ``x5u``, ``jwk`` …."""

    code = "oidc_header"


class OIDCTyp(Malformed):
    """The token is of another kind, such as a logout or access token."""

    code = "oidc_typ"


class OIDCCallback(Malformed):
    """The callback does not have exactly one of ``code`` and ``error``, or repeats a parameter."""

    code = "oidc_callback"
    public = mark(
        "The answer of your identity provider did not arrive whole. Start again; if this happens again, give IT the "
        "reference number."
    )


class OIDCProviderError(Malformed):
    """The provider answered the authorization request with an error."""

    code = "oidc_provider_error"
    public = mark(
        "Your identity provider did not complete the sign-in: it was cancelled, or you may not use this service yet. "
        "Start again, or ask IT for access."
    )


class OIDCTokenResponse(Malformed):
    """The token endpoint's answer is not a token response."""

    code = "oidc_token_response"


class OIDCUserInfo(Malformed):
    """The userinfo endpoint's answer is about somebody else, or is not the JSON object that it must be."""

    code = "oidc_userinfo"


class OIDCPushedRequest(Malformed):
    """The provider did not take the authorization request that we pushed to it."""

    code = "oidc_par"
    public = mark("Your identity provider did not let this service ask you to sign in. Give IT the reference number.")


class OIDCClaim(Malformed):
    """A claim of the protocol has a type that it must not have: ``jti``, ``sid``, ``acr`` or ``amr``."""

    code = "oidc_claim"


class OIDCMetadata(Malformed):
    """The provider's discovery document is for another issuer, incomplete, or names unusable addresses."""

    code = "oidc_metadata"
    public = mark("The settings that your identity provider publishes cannot be used. Give IT the reference number.")


class OIDCKeySet(Malformed):
    """The provider's key set is not one, has too many keys, or none that we can use."""

    code = "oidc_jwks"
    public = mark("The settings that your identity provider publishes cannot be used. Give IT the reference number.")


class OIDCKeyLeaked(OIDCKeySet):
    """The provider publishes a private key: none of its statements can be believed until it stops."""

    code = "oidc_key_leaked"
    public = mark(
        "For your safety, nobody can sign in with this identity provider at the moment. Give IT the reference number."
    )


class UntrustedIssuer(IdentityError):
    """The statement is by somebody other than the provider that this flow belongs to."""

    public = mark(
        "The answer came from another identity provider than the one that was asked. Start again; if this happens "
        "again, give IT the reference number."
    )


class UnknownProvider(UntrustedIssuer):
    """No provider of that name or issuer is configured."""

    code = "provider_unknown"
    public = mark(
        "This sign-in address belongs to no identity provider that is known here. Start again, or ask IT for the "
        "right address."
    )


class SAMLIssuer(UntrustedIssuer):
    """``Issuer`` is absent, or is not exactly the expected entity ID."""

    code = "saml_issuer"


class OIDCIssuer(UntrustedIssuer):
    """``iss`` is absent, or is not exactly the expected issuer."""

    code = "oidc_iss"


class OIDCTenant(UntrustedIssuer):
    """The token is by a tenant that is not listed, or by a key that is not for this tenant."""

    code = "oidc_tenant"
    public = mark(
        "Your account belongs to an organisation that may not sign in here. Start again with your work account, or "
        "ask IT."
    )


class OIDCMixUp(UntrustedIssuer):
    """The callback's ``iss`` parameter names another provider, or is missing where it was promised (RFC 9207)."""

    code = "oidc_mixup"


class BadSignature(IdentityError):
    """The signature is missing, wrong, of a refused kind, or covers something else."""

    public = mark(
        "Nothing proves that the answer came from your identity provider, so it was not accepted. Start again; if "
        "this happens again, give IT the reference number."
    )


class SAMLUnsigned(BadSignature):
    """A required signature is not there."""

    code = "saml_unsigned"


class SAMLSignatureForm(BadSignature):
    """The signature is not of the one form that we accept."""

    code = "saml_signature_form"


class SAMLSignatureCount(BadSignature):
    """More signatures than one on the response and one on the assertion."""

    code = "saml_signature_count"


class SAMLSignaturePlace(BadSignature):
    """A signature stands somewhere other than directly in the response or the assertion."""

    code = "saml_signature_place"


class SAMLSignatureReference(BadSignature):
    """The signature does not reference exactly the element in which it stands."""

    code = "saml_signature_reference"


class SAMLTransform(BadSignature):
    """A transform other than enveloped signature and exclusive canonicalization."""

    code = "saml_transform"


class SAMLCanonicalization(BadSignature):
    """Another canonicalization method, a relative namespace, or an empty canonical form."""

    code = "saml_canonicalization"


class SAMLAlgorithm(BadSignature):
    """A signature or digest algorithm, or a key, that is not allowed."""

    code = "saml_algorithm"


class SAMLSignatureInvalid(BadSignature):
    """The signature does not verify with any key of the expected issuer. One code, whatever part failed."""

    code = "saml_signature_invalid"


class OIDCAlgorithm(BadSignature):
    """The token's ``alg`` is not one that this provider may use."""

    code = "oidc_alg"


class OIDCKeyId(BadSignature):
    """No usable key of the provider has this ``kid``."""

    code = "oidc_kid"


class OIDCKey(BadSignature):
    """The key that the token names does not fit its algorithm or its use."""

    code = "oidc_key"


class OIDCSignature(BadSignature):
    """The signature does not verify."""

    code = "oidc_signature"


class WrongAudience(IdentityError):
    """The statement is meant for another service."""

    public = mark(
        "The answer of your identity provider was not meant for this service. Start again; if this happens again, "
        "give IT the reference number."
    )


class SAMLAudience(WrongAudience):
    """An ``AudienceRestriction`` is missing or does not contain our entity ID."""

    code = "saml_audience"


class SAMLProxyRestriction(WrongAudience):
    """The provider forbids that anything is issued on the basis of its assertion, which is all that we do."""

    code = "saml_proxy_restriction"


class OIDCAudience(WrongAudience):
    """``aud`` does not contain our client ID."""

    code = "oidc_aud"


class OIDCAuthorizedParty(WrongAudience):
    """``azp`` is missing beside several audiences, or names another client."""

    code = "oidc_azp"


class WrongRecipient(IdentityError):
    """The statement was meant to be delivered to another address."""

    public = mark(
        "The answer of your identity provider was not meant for this service. Start again; if this happens again, "
        "give IT the reference number."
    )


class SAMLDestination(WrongRecipient):
    """``Destination`` is not exactly our ACS, or is missing from a signed response."""

    code = "saml_destination"


class SAMLRecipient(WrongRecipient):
    """``Recipient`` is not exactly our ACS, or is missing."""

    code = "saml_recipient"


class OutsideValidity(IdentityError):
    """The statement is not valid now. It does not follow that everything else about it was right."""

    public = mark(
        "This sign-in took too long, or a clock is wrong. Start again; if this happens again, give IT the reference "
        "number."
    )


class SAMLExpired(OutsideValidity):
    """A ``NotOnOrAfter`` has passed."""

    code = "saml_expired"


class SAMLNotYet(OutsideValidity):
    """A ``NotBefore`` or an issue time lies in the future."""

    code = "saml_not_yet"
    public = mark(
        "The clocks of your identity provider and of this service differ. Wait a minute, then start again; if this "
        "happens again, give IT the reference number."
    )


class SAMLStale(OutsideValidity):
    """The statement or the authentication is too old."""

    code = "saml_stale"
    public = mark("Your last sign-in at your identity provider is too long ago. Sign out there, then start again.")


class SAMLLifetime(OutsideValidity):
    """The statement would be valid for longer than we let any be, or for no time at all."""

    code = "saml_lifetime"
    public = IdentityError.public


class SAMLSessionOver(OutsideValidity):
    """``SessionNotOnOrAfter`` has passed."""

    code = "saml_session_over"
    public = mark("Your session at your identity provider has ended. Start again, and sign in there anew.")


class OIDCExpiry(OutsideValidity):
    """``exp`` is missing, malformed, past, or too far away."""

    code = "oidc_exp"


class OIDCIssuedAt(OutsideValidity):
    """``iat`` is missing, malformed, in the future or too old."""

    code = "oidc_iat"


class OIDCNotBefore(OutsideValidity):
    """``nbf`` is malformed or in the future."""

    code = "oidc_nbf"
    public = mark(
        "The clocks of your identity provider and of this service differ. Wait a minute, then start again; if this "
        "happens again, give IT the reference number."
    )


class OIDCAuthTime(OutsideValidity):
    """``auth_time`` is malformed, in the future or older than was asked for."""

    code = "oidc_auth_time"
    public = mark("Your last sign-in at your identity provider is too long ago. Sign out there, then start again.")


class NotOurQuestion(IdentityError):
    """The answer does not belong to a question that this browser asked."""

    public = mark(
        "This sign-in was not started in this browser, or took too long. Start again; if this happens again, allow "
        "cookies for this site."
    )


class ConfirmationUnknown(NotOurQuestion):
    """The confirmation page was answered too late, twice, or from another browser."""

    code = "confirmation_unknown"
    public = mark("You confirmed this sign-in too late, twice, or in another browser. Start again.")


class SAMLInResponseTo(NotOurQuestion):
    """``InResponseTo`` is missing, differs, or names no pending sign-in of this browser."""

    code = "saml_inresponseto"


class SAMLUnsolicited(NotOurQuestion):
    """An answer without a question, from a provider that may not start sign-ins."""

    code = "saml_unsolicited"
    public = mark(
        "Sign-ins with this identity provider have to begin here. Choose it on the sign-in page of this service."
    )


class OIDCState(NotOurQuestion):
    """``state`` is missing, unknown, used, or belongs to another browser."""

    code = "oidc_state"


class OIDCNonce(NotOurQuestion):
    """``nonce`` is not the one that we sent."""

    code = "oidc_nonce"


class OIDCAccessTokenHash(NotOurQuestion):
    """``at_hash`` is not the digest of the access token that came with the ID token."""

    code = "oidc_at_hash"
    public = IdentityError.public


class OIDCCodeHash(NotOurQuestion):
    """``c_hash`` is not the digest of the code that we redeemed."""

    code = "oidc_c_hash"
    public = IdentityError.public


class OIDCCode(NotOurQuestion):
    """The provider did not accept the authorization code."""

    code = "oidc_code"
    public = mark(
        "Your identity provider did not confirm this sign-in, most often because it took too long or was sent twice. "
        "Start again; if this happens again, give IT the reference number."
    )


class OIDCInitiate(NotOurQuestion):
    """A third-party initiated login that names no configured provider."""

    code = "oidc_initiate"
    public = mark(
        "The link that brought you here does not fit this identity provider. Start again; if this happens again, "
        "give IT the reference number."
    )


class StepUpOtherPerson(NotOurQuestion):
    """Somebody who was asked to sign in again did so as somebody else."""

    code = "step_up_other_person"
    public = mark(
        "You signed in again as somebody else. Your session goes on as before: try again with the account that you "
        "are signed in with here, or sign out first."
    )


class Replayed(IdentityError):
    """A genuine statement presented a second time."""

    public = mark("This sign-in was already used once, perhaps because a page was loaded again. Start again.")


class SAMLReplay(Replayed):
    """The assertion was accepted before."""

    code = "saml_replay"


class OIDCReplay(Replayed):
    """The ID token was accepted before."""

    code = "oidc_replay"


class MissingClaim(IdentityError):
    """A statement that we need is absent or ambiguous."""

    public = mark(
        "What your identity provider says about you is incomplete or ambiguous. Starting again will not help: give "
        "IT the reference number."
    )


class SAMLAttributeTwice(MissingClaim):
    """The same attribute name came twice."""

    code = "saml_attribute_twice"


class OIDCSubject(MissingClaim):
    """``sub`` is not a string of 1 to 255 visible ASCII characters."""

    code = "oidc_sub"
    public = mark(
        "Your identity provider did not say clearly who you are. Starting again will not help: give IT the reference "
        "number."
    )


class OIDCAcr(MissingClaim):
    """``acr`` is missing, or is none of those that are required."""

    code = "oidc_acr"
    public = mark(
        "You did not sign in at your identity provider in the way that is required here, for example with a second "
        "factor. Sign out there, then start again."
    )


class WorkloadClaim(MissingClaim):
    """A workload's token lacks a claim, or the value of one, that every token of its issuer must have here."""

    code = "workload_claim"
    public = mark("The token of this workload is not one that is accepted here. Give IT the reference number.")


class StepUpNotMet(MissingClaim):
    """Somebody who was asked to sign in again did, and it was no stronger or no more recent than is needed."""

    code = "step_up_not_met"
    public = mark(
        "You signed in again, but not by the method, or not as recently, as this role requires. Your session goes on "
        "as before. Try again with your second factor; if you have none, ask IT."
    )
    wanted = NOTHING_NAMED

    def __init__(self, detail: str = "", wanted: Wanted = NOTHING_NAMED) -> None:
        """Take the detail, and for the sake of what the person signed in again."""
        super().__init__(detail)
        self.wanted = wanted


class ClaimNotSingle(MissingClaim):
    """A claim that is configured as single-valued came with several values."""

    code = "claim_not_single"


class GroupsUnknown(MissingClaim):
    """The provider left the groups out because there are too many: unknown is not the same as none."""

    code = "map_groups_unknown"
    public = mark(
        "Your identity provider did not send your groups because you are in too many. Ask IT to limit the groups "
        "that it sends to those that are assigned here."
    )


class ProviderUnavailable(IdentityError):
    """The provider's metadata, keys or token endpoint could not be reached. Trying again may help."""

    code = "provider_unavailable"
    public = mark("Your identity provider cannot be reached at the moment. Try again in a minute.")


class SAMLMetadata(ProviderUnavailable):
    """The provider's metadata cannot be used. It needs an administrator, who finds the reason in the detail."""

    code = "saml_metadata"
    public = mark("This identity provider is not set up correctly here. Give IT the reference number.")


class OIDCClientAssertion(ProviderUnavailable):
    """We cannot prove to the provider who we are. It needs an administrator, who finds the reason in the detail."""

    code = "oidc_client_assertion"
    public = mark("This identity provider is not set up correctly here. Give IT the reference number.")


class GroupsNotFetched(ProviderUnavailable):
    """The groups that a message left out could not be had at ``groups_endpoint`` either. It needs an administrator."""

    code = "map_groups_not_fetched"
    public = mark(
        "You are in too many groups for your identity provider to send, and it did not answer when asked for them. "
        "Give IT the reference number."
    )


class LogoutRefused(IdentityError):
    """A provider's request to end sessions, or its answer to ours, is not acceptable; no session ends."""

    public = mark(
        "What your identity provider sent about a sign-out could not be accepted. If you have signed out here, that "
        "is done. To be sure of the rest, sign out at your identity provider as well and close the browser."
    )


class LogoutReplay(LogoutRefused):
    """The logout token or request was accepted before."""

    code = "logout_replay"


class OIDCLogoutRequest(LogoutRefused):
    """The back-channel request is not a form with exactly one ``logout_token``."""

    code = "oidc_logout_request"


class OIDCFrontChannel(LogoutRefused):
    """A front-channel request that is not allowed, or does not have exactly one ``iss`` and one ``sid``."""

    code = "oidc_logout_frontchannel"


class OIDCLogoutEvent(LogoutRefused):
    """``events`` does not say that a session has ended."""

    code = "oidc_logout_event"


class OIDCLogoutNonce(LogoutRefused):
    """The token has a ``nonce``, which a logout token must not have: it could pass for an ID token."""

    code = "oidc_logout_nonce"


class OIDCLogoutTarget(LogoutRefused):
    """The token names neither a person nor a session."""

    code = "oidc_logout_target"


class OIDCLogoutId(LogoutRefused):
    """``jti`` is missing or malformed, so a second use could not be noticed."""

    code = "oidc_logout_jti"


class SAMLLogoutBinding(LogoutRefused):
    """Not one logout message with one signature, in the form of the Redirect or POST binding."""

    code = "saml_logout_binding"


class SAMLLogoutSession(LogoutRefused):
    """A ``SessionIndex`` is malformed, or there are more than honest."""

    code = "saml_logout_session"


# ── Sessions, access, requests ───────────────────────────────────────────────────────────────────────────────


class SessionError(BridgeError):
    """There is no usable session behind this request."""

    code = "session_missing"
    public = mark("You are not signed in here. Sign in to go on.")


class SessionMissing(SessionError):
    """No session cookie, or one that names no session."""


class SessionExpired(SessionError):
    """The session was idle for too long or has reached its end."""

    code = "session_expired"
    public = mark("Your session has ended. Sign in again to go on.")


class TerminalTokenUnknown(SessionError):
    """A program's token that opens nothing: never issued, at its end, or ended by a sign-out."""

    code = "terminal_token_unknown"
    public = mark("This terminal is not signed in any more. Sign in again from the terminal.")


class AccessTokenUnknown(SessionError):
    """An access token that opens nothing: never issued, at its end, or its grant is over."""

    code = "access_token_unknown"
    public = mark("This program is not signed in any more. Sign in again: rambridge login.")


class AccessError(BridgeError):
    """The person is known but may not do this."""


class NotEntitled(AccessError):
    """No rule, as the rules stand now, grants this entitlement to this person."""

    code = "not_entitled"
    public = mark("You may not use this role. The assignment may have changed: reload the page, or ask its owner.")
    wanted = NOTHING_NAMED

    def __init__(self, detail: str = "", wanted: Wanted = NOTHING_NAMED) -> None:
        """Take the detail, and what was asked for."""
        super().__init__(detail)
        self.wanted = wanted


class DurationTooLong(AccessError):
    """A caller of the STS endpoint asked for a longer session than rule, account or role allow."""

    code = "sts_duration_too_long"
    public = mark("Sessions of this role are shorter than that. Ask for a shorter one.")


class PolicyNotNarrower(AccessError):
    """A caller of the STS endpoint sent a session policy for a role that its rule narrows already."""

    code = "sts_policy_twice"
    public = mark("The rule for this role has a session policy of its own, and STS takes one only. Send none.")


class SessionNarrowed(AccessError):
    """AssumeRole was signed by a session that its caller narrowed by a policy; the next role would come whole."""

    code = "sts_session_narrowed"
    public = mark(
        "A session that a policy of its caller narrows becomes no other role. Use a session without such a policy."
    )


class NotAdministrator(AccessError):
    """A page for administrators, and a person who is none at this moment."""

    code = "web_forbidden"
    public = mark("This page is for administrators. If your work needs it, give IT the reference number.")


class NotAuditor(AccessError):
    """A page for auditors, and a person who is none at this moment."""

    code = "web_not_auditor"
    public = mark("This page is for auditors. If your work needs it, give IT the reference number.")


class CrossSiteRequest(AccessError):
    """A state-changing request that did not come from our own pages."""

    code = "web_cross_site"
    public = mark("This request did not come from our own page. Go back, reload the page and try again.")


class NotFound(AccessError):
    """There is no such page."""

    code = "web_not_found"
    public = mark("There is no such page. Check the address, or go to the start page.")


class UserCodeUnknown(AccessError):
    """No terminal waits with this code: it was never shown, is over, or was decided about."""

    code = "user_code_unknown"
    public = mark(
        "No terminal waits with this code. Compare it with the one in your terminal; a code is good for eight minutes."
    )


class LinkUnusable(AccessError):
    """A signed link is none of ours, was changed, or is over."""

    code = "link_unusable"
    public = mark(
        "This link is over, or was not copied whole. Ask whoever sent it for a new one, or open the role yourself."
    )


class RequestError(BridgeError):
    """The caller's mistake."""


class BadParameter(RequestError):
    """A parameter is missing or malformed."""

    code = "bad_parameter"
    public = mark(
        "The request is incomplete, or holds something that does not belong there. Go back and try again; if this "
        "happens again, delete this site's cookies, or give IT the reference number."
    )


class DestinationRefused(RequestError):
    """A link leads to something else than a page of Alibaba Cloud's console."""

    code = "link_destination"
    public = mark(
        "This link does not lead to a page of Alibaba Cloud's console, so it is not followed. Copy the address of "
        "the page in the console."
    )


class UnknownHost(RequestError):
    """The request names a host that we do not serve."""

    code = "web_host"
    public = mark("This service is not available under this address. Check the address, or ask IT for the right one.")


class TooLarge(RequestError):
    """The request is larger than anything that we accept."""

    code = "web_too_large"
    public = mark(
        "The request is too large. Delete this site's cookies and try again; if this happens again, give IT the "
        "reference number."
    )


class TooManyRequests(RequestError):
    """One address asks more often than people do."""

    code = "web_too_many"
    public = mark("Too many requests came from your network within a minute. Try again in a minute.")


class AskedTooOften(TooManyRequests):
    """One person asks for something that costs processor time more often than anybody types."""

    code = "web_too_often"
    public = mark("You asked for this too often within a minute. Try again in a minute.")

    def __init__(self, detail: str, retry_after_seconds: int) -> None:
        """Take the seconds after which one may ask again beside the detail."""
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class CallsTooMany(TooManyRequests):
    """A program calls the STS endpoint more often than its budget allows."""

    code = "sts_throttled"
    public = mark("Too many calls within a minute. Try again later.")

    def __init__(self, detail: str, retry_after_seconds: int) -> None:
        """Take the seconds after which calls are possible again beside the detail."""
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class DeviceNotYetAllowed(RequestError):
    """A terminal asks for its token, and nobody has decided yet."""

    code = "device_pending"
    public = mark("Nobody has allowed this in the browser yet. Allow it there; the terminal goes on by itself.")


class DevicePolledTooOften(DeviceNotYetAllowed):
    """The same, within the interval that it was told to wait."""

    code = "device_slow_down"
    public = mark(
        "Nobody has allowed this in the browser yet, and the terminal asked too soon. Wait five seconds longer."
    )


class DeviceOver(RequestError):
    """A terminal asks for its token with a code that is unknown, too old, used, or another program's."""

    code = "device_over"
    public = mark("This sign-in from a terminal was used already, or took too long. Start it again.")


class DeviceRefused(DeviceOver):
    """A person said in the browser that this terminal is not theirs."""

    code = "device_refused"
    public = mark("This sign-in from a terminal was refused in the browser. Start it again if it is yours.")


class OAuthError(RequestError):
    """A program asks the authorization server for something that it does not give. Never raised itself."""


class ClientUnknown(OAuthError):
    """The client ID is not that of our own command."""

    code = "oauth_client"
    public = mark("This program may not sign in here. Use the rambridge command instead.")


class RedirectRefused(OAuthError):
    """The redirect URI is not one of our own command: nobody is sent there, and nothing is said there."""

    code = "oauth_redirect_uri"
    public = mark(
        "This request would send you to an address that does not belong to the program. Nothing was sent there; if "
        "somebody gave you the link, tell IT."
    )


class PKCEMissing(OAuthError):
    """The request has no code challenge, or not one by S256 (RFC 7636)."""

    code = "oauth_pkce"
    public = mark("This program does not protect its sign-in as it must here. Update it, then start again.")


class ResponseTypeUnsupported(OAuthError):
    """Another response type than ``code``, or another response mode than ``query``."""

    code = "oauth_response_type"
    public = mark("This program asks for a kind of sign-in that is not offered here. Update it, then start again.")


class GrantTypeUnsupported(OAuthError):
    """A grant type that the metadata does not name."""

    code = "oauth_grant_type"
    public = mark("This program asks for a kind of sign-in that is not offered here. Update it, then start again.")


class TargetInvalid(OAuthError):
    """A token for another resource than API v1 is asked for (RFC 8707)."""

    code = "oauth_resource"
    public = mark(
        "This program asks for access to something else than this service. Check the address in its settings, or "
        "update it."
    )


class CodeRefused(OAuthError):
    """An authorization code that gives nothing: not ours, too old, or its client, address or proof is another."""

    code = "oauth_code"
    public = mark("This sign-in was not completed in time, or not by the program that began it. Start it again.")


class CodeReused(CodeRefused):
    """An authorization code that was shown before; what it gave is over now."""

    code = "oauth_code_reused"
    public = mark("This sign-in was completed a second time, so what it gave has ended. Start it again.")


class RefreshTokenOver(OAuthError):
    """A refresh token that gives nothing: not ours, or its grant is over."""

    code = "oauth_refresh_token"
    public = mark("You are signed out here. Sign in again: rambridge login.")


class RefreshTokenReused(RefreshTokenOver):
    """A refresh token that was used before: somebody else may have it, so the grant is over now."""

    code = "oauth_refresh_reused"
    public = mark(
        "Two programs used the same sign-in, so it has ended for your safety. Sign in again: rambridge login."
    )


class FetchRefused(RequestError):
    """Our own outgoing request was not made, or was redirected: its address is not one that we may fetch."""

    code = "web_fetch_refused"
    public = mark("An address in the configuration may not be fetched. Give IT the reference number.")


class FetchFailed(BridgeError):
    """Our own outgoing request got no complete answer. The other side may have acted on it."""

    code = "fetch_failed"
    public = mark("Another service cannot be reached at the moment. Try again in a minute.")


class FetchNotConnected(FetchFailed):
    """No connection came about, so nothing was sent: the other side cannot have acted on it."""

    code = "fetch_not_connected"


class FetchTooLarge(FetchFailed):
    """The answer to our own outgoing request was longer than any honest one."""

    code = "fetch_too_large"
    public = mark("Another service answered with more than is accepted here. Give IT the reference number.")


# ── Exchange ─────────────────────────────────────────────────────────────────────────────────────────────────


class ExchangeError(BridgeError):
    """The choice could not be traded for credentials."""

    upstream_code = ""
    """STS's own code, if it answered with one; as it came, so for the log and the record."""
    upstream_request_id = ""


class ExchangeRefused(ExchangeError):
    """STS said no. ``upstream_code`` and ``upstream_request_id`` are STS's own."""

    code = "exchange_refused"
    public = mark(
        "Alibaba Cloud refused to issue credentials for this role. Its trust policy or a limit does not allow it: "
        "give IT the reference number."
    )

    def __init__(self, detail: str, upstream_code: str, upstream_request_id: str) -> None:
        """Take STS's code and RequestId beside the detail."""
        super().__init__(detail)
        self.upstream_code = upstream_code
        self.upstream_request_id = upstream_request_id


class ExchangeNotTrusted(ExchangeRefused):
    """The role's trust policy does not let us in, or our own identity may not ask for it."""

    code = "exchange_not_trusted"
    public = mark(
        "Alibaba Cloud does not let this service into that role: its trust policy does not allow it. You cannot "
        "change that yourself: give IT the reference number."
    )


class ExchangeRoleMissing(ExchangeRefused):
    """The account has no role of that name."""

    code = "exchange_role_missing"
    public = mark("The account has no role of this name any more. Choose another one, or give IT the reference number.")


class ExchangeProviderMissing(ExchangeRefused):
    """RAM does not know us: no such identity provider, or its metadata cannot be used."""

    code = "exchange_provider_missing"
    public = mark("This account does not know this service yet. Give IT the reference number.")


class ExchangeProofRefused(ExchangeRefused):
    """STS does not accept what we signed: the provider in RAM has another key, issuer or audience."""

    code = "exchange_proof_refused"
    public = mark(
        "Alibaba Cloud does not accept what this service signs for the account. Give IT the reference number."
    )


class ExchangeClock(ExchangeRefused):
    """STS finds what we signed too old or too new: our clock differs from its."""

    code = "exchange_clock"
    public = mark("The clock of this service and that of Alibaba Cloud differ. Give IT the reference number.")


class ExchangeDurationRefused(ExchangeRefused):
    """The role allows no session of the length that we asked for."""

    code = "exchange_duration"
    public = mark("The role allows no session of this length. Ask for a shorter one, or give IT the reference number.")


class ExchangePolicyRefused(ExchangeRefused):
    """STS does not accept the session policy: its grammar or its size."""

    code = "exchange_policy"
    public = mark(
        "The rule that gives you this role narrows it in a way that Alibaba Cloud refuses. Give IT the reference "
        "number."
    )


class ExchangeKeyRefused(ExchangeRefused):
    """Our AccessKey, or that of the role session we go through, is unknown, disabled, expired or wrong."""

    code = "exchange_key"
    public = mark("Alibaba Cloud does not accept this service's own key for the account. Give IT the reference number.")


class ExchangeMismatch(ExchangeError):
    """STS answered with credentials for something other than what was asked; they are thrown away."""

    code = "exchange_mismatch"
    public = mark(
        "Alibaba Cloud answered with credentials for something else than you chose, so they were thrown away. Try "
        "again; if it happens again, give IT the reference number."
    )


class ExchangeUnavailable(ExchangeError):
    """STS could not be reached in time. Trying again may help."""

    code = "exchange_unavailable"
    public = mark("Alibaba Cloud's token service cannot be reached at the moment. Try again in a minute.")

    may_retry = False
    """Whether another request is safe: STS has not acted on this one, or says that it failed."""
    retry_after_seconds: int | None = None
    """When STS, or the breaker, is ready again; None: unknown."""

    def __init__(
        self,
        detail: str = "",
        retry_after_seconds: int | None = None,
        *,
        may_retry: bool = False,
        upstream_code: str = "",
        upstream_request_id: str = "",
    ) -> None:
        """Take the detail, when to come back, whether trying again is safe, and STS's code and RequestId if any."""
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds
        self.may_retry = may_retry
        self.upstream_code = upstream_code
        self.upstream_request_id = upstream_request_id


class ExchangeThrottled(ExchangeUnavailable):
    """STS answers no more requests for this account at the moment: about 100 a second are its limit."""

    code = "exchange_throttled"
    public = mark("Alibaba Cloud is asked too often for this account at the moment. Try again in a minute.")


class ExchangePaused(ExchangeUnavailable):
    """STS failed several times in a row, so it is left alone for some seconds (circuit breaker)."""

    code = "exchange_paused"
    public = mark(
        "Alibaba Cloud's token service has failed several times, so it is left alone for a moment. Try again in a "
        "minute."
    )


class ExchangeCrowded(ExchangeUnavailable):
    """So many releases of this process wait for STS that no thread would be left for anything else."""

    code = "exchange_crowded"
    public = mark("Very many people ask for credentials at this moment. Try again in a few seconds.")


class SessionEndsTooSoon(ExchangeError):
    """The provider's session ends before the shortest session that STS issues would."""

    code = "exchange_session_ends_soon"
    public = mark(
        "Your sign-in ends too soon to open a session. Sign in again at your identity provider, then try again."
    )


class TerminalNotGranted(ExchangeError):
    """A RAM user entitlement that names no role for terminal use: STS has no credentials for a RAM user."""

    code = "terminal_not_granted"
    public = mark(
        "This assignment opens the console only: it names no role for terminal use. Use the console, or ask IT to "
        "add a terminal role to it."
    )


class ConsoleTokenRefused(ExchangeRefused):
    """The console's federation endpoint gave no sign-in token for credentials that STS has just issued."""

    code = "console_token_refused"
    public = mark(
        "Alibaba Cloud does not open its console for this session. Get credentials for a terminal, or ask IT whether "
        "the role may log on to the console."
    )


class ConsoleTokenUnavailable(ExchangeUnavailable):
    """The console's federation endpoint could not be reached in time, or failed."""

    code = "console_token_unavailable"
    public = mark("Alibaba Cloud's console sign-in cannot be reached at the moment. Try again in a minute.")


class ConsoleNotNarrowed(ExchangeError):
    """A console sign-in for a role that a session policy narrows: it would open the whole role."""

    code = "console_not_narrowed"
    public = mark(
        "This role is narrowed for you, and the console would open all of it. Get credentials for a terminal, or ask "
        "IT for a role of its own for the console."
    )


# ── Keys, audit, store ───────────────────────────────────────────────────────────────────────────────────────


class KeyMissing(BridgeError):
    """A key that is needed is not in the key folder."""

    code = "key_missing"
    public = mark("The service is not set up completely. Run `rambridge keys create`.")


class KeyUnusable(BridgeError):
    """A key file that others may read, or that does not hold what it should."""

    code = "key_unusable"
    public = mark("A key of the service cannot be used. Run `rambridge keys list` to see which one and why.")


class AuditError(BridgeError):
    """The audit log cannot do what it promises."""


class AuditUnavailable(AuditError):
    """A record could not be made durable, so nothing was released."""

    code = "audit_unavailable"
    public = mark("This cannot be recorded at the moment, so it was not done. Try again in a minute.")


class ClockBehind(AuditError):
    """This machine's clock was set back: until it has caught up, nobody knows here what was used already."""

    code = "clock_behind"
    public = mark("Signing in is not possible at the moment. Try again in a minute.")


class AuditLayout(AuditError):
    """The audit database does not have the tables that this version of Rambridge works with."""

    code = "audit_layout"
    public = mark("The audit database is not of this version of Rambridge.")


class RetentionRefused(AuditError):
    """Records whose time is over cannot go: then nobody could tell that they were what they were."""

    code = "audit_retention_refused"
    public = mark("The records were not retired.")


class SearchBusy(AuditError):
    """What searches go by cannot be rebuilt now, or months cannot be retired meanwhile."""

    code = "audit_search_busy"
    public = mark("Another command works on what searches of the audit log go by. Try again when it has ended.")


class ChainBroken(AuditError):
    """Verification found that the log is not what was written."""

    code = "audit_chain_broken"
    public = mark("The audit log does not verify.")

    def __init__(self, detail: str, position: int, end: int | None = None) -> None:
        """Take what is wrong and where.

        Args:
            detail: what is wrong.
            position: the first position that is bad.
            end: where it cannot be told exactly, the first bad one is before this; None: it is exactly ``position``.
        """
        super().__init__(detail)
        self.position = position
        self.end = end

    def __reduce__(self) -> tuple[type["ChainBroken"], tuple[str, int, int | None]]:
        """Let it pass from a process that verifies a part."""
        return type(self), (self.detail, self.position, self.end)


class WitnessFailed(AuditError):
    """A witness did not take a checkpoint, or has one that the log does not agree with."""

    code = "audit_witness_failed"
    public = mark("A witness of the audit log did not take its checkpoint.")


class ForwardingFailed(AuditError):
    """A receiver of records did not take them, or did not say that it has them; worth trying again."""

    code = "audit_forwarding_failed"
    public = mark("A receiver of audit records does not take them. They wait and are sent again.")

    def __init__(self, detail: str, *, retry_seconds: float = 0.0) -> None:
        """Take what happened, and how long the receiver asks to be left alone (seconds)."""
        self.retry_seconds = retry_seconds
        super().__init__(detail)


class ExportFailed(AuditError):
    """Records could not be written to a file."""

    code = "audit_export_failed"
    public = mark("The audit records could not be exported. Nothing was written.")


class TrailUnreadable(AuditError):
    """A file of ActionTrail events cannot be read to its end. What stood before was taken in; it may be tried again."""

    code = "trail_unreadable"
    public = mark("A file of ActionTrail events cannot be read.")


class RolloutError(BridgeError):
    """Other rules cannot come into force like this. What is in force stays."""


class VersionUnknown(RolloutError):
    """No version of the rules, or more than one, begins with these digits."""

    code = "rules_version_unknown"
    public = mark("There is no such version of the rules. `rambridge rules list` shows those that are kept.")


class RequestUnknown(RolloutError):
    """No change of this name waits for a second administrator, or no longer."""

    code = "rules_request_unknown"
    public = mark("No such change waits for a second administrator. It may have been decided, or be older than a day.")


class RequestStale(RolloutError):
    """Something else came into force since the change was looked at."""

    code = "rules_request_stale"
    public = mark("Other rules came into force meanwhile, so this was not done. Look at the difference again.")


class SamePerson(RolloutError):
    """Somebody confirms a change that they asked for themselves."""

    code = "rules_same_person"
    public = mark("Another administrator than the one who asked for this change has to confirm it.")


class RulesUnchanged(RolloutError):
    """This version is in force already."""

    code = "rules_unchanged"
    public = mark("These rules are in force already. Nothing was changed.")


class ChangeUnmeasured(RolloutError):
    """How many people a change concerns cannot be told from the sign-ins that are kept, so it waits."""

    code = "rules_change_unmeasured"
    public = mark(
        "How many people this change concerns could not be found out, so another administrator has to confirm it."
    )


class RolloutUnavailable(RolloutError):
    """The database with the versions of the rules does not answer, or holds something else than was put there."""

    code = "rules_database_unavailable"
    public = mark("The versions of the rules cannot be reached at the moment. What is in force stays in force.")


class StoreUnavailable(BridgeError):
    """Redis cannot be reached. Nothing was lost; trying again may help."""

    code = "store_unavailable"
    public = mark("Signing in is not possible at the moment. Try again in a minute.")


class HistoryUnavailable(BridgeError):
    """The database of kept sign-ins does not answer. No sign-in needs it."""

    code = "history_unavailable"
    public = mark("What was kept of sign-ins cannot be read at the moment. Try again in a minute.")


class Unsealable(BridgeError):
    """A stored value that we did not seal under this name, or whose key is gone: what it held is over."""

    code = "store_unsealable"
    public = mark("Your session has ended. Sign in again to go on.")


class SetupFailed(BridgeError):
    """RAM could not be read or changed, or is not ready for what was asked."""

    code = "setup_failed"
    public = mark("RAM could not be read or set up.")

    def __init__(self, detail: str = "", advice: str = "") -> None:
        """Take what to do about it beside the detail, where the detail does not say it."""
        super().__init__(detail)
        self.advice = advice


class DemoFailed(BridgeError):
    """A part of the demo did not start, or a step of it did not do what it should."""

    code = "demo_failed"
    public = mark("The demo did not work.")


def walk_leaves(root: type[BridgeError] = BridgeError) -> Iterator[type[BridgeError]]:
    """Yield every class of the tree that has a ``code`` of its own, the root included."""
    if "code" in vars(root):
        yield root
    for child in root.__subclasses__():
        yield from walk_leaves(child)
