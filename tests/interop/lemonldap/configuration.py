"""What LemonLDAP::NG is told: one configuration document and one table of people."""

import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from tests.interop.parties import SAMLSP, OIDCClient, Person
from tests.interop.signing_key import make_signing_key

SP_NAME = "rambridge-saml"
RP_NAME = "rambridge-oidc"
VALUES_SEPARATOR = "; "
BASIC_NAME_FORMAT = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"
HOUR_SECONDS = 3600
CERTIFICATE_NAME = "LemonLDAP::NG of the test suite"


def write_people(database: Path, people: Iterable[Person]) -> None:
    """Leave a table that LemonLDAP::NG reads at each sign-in, both for the password and for the attributes."""
    with sqlite3.connect(database) as connection:
        connection.execute(
            "CREATE TABLE people (uid TEXT PRIMARY KEY, password TEXT, cn TEXT, mail TEXT,"
            " department TEXT, groups TEXT)"
        )
        connection.executemany(
            "INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    person.uid,
                    person.password,
                    person.name,
                    person.mail,
                    person.department,
                    VALUES_SEPARATOR.join(person.groups),
                )
                for person in people
            ],
        )
    connection.close()


def build_configuration(folder: Path, *, portal: str, saml_sp: SAMLSP, oidc_client: OIDCClient) -> dict[str, Any]:
    """Return the whole configuration: portal, people, SAML identity provider and OpenID provider."""
    return {
        "cfgNum": 1,
        "cfgDate": int(time.time()),  # without it: "No configuration available"
        "cfgAuthor": "rambridge tests",
        **_portal(folder, portal),
        **_people(folder),
        **_saml(saml_sp),
        **_oidc(oidc_client),
    }


def _portal(folder: Path, portal: str) -> dict[str, Any]:
    return {
        "portal": f"{portal}/",
        "domain": "",  # a host-only cookie: an IP address can have no other
        "https": 0,
        "securedCookie": 0,
        "sameSite": "Lax",  # by itself it says None, which a browser refuses over plain http
        "whatToTrace": "uid",
        "requireToken": 1,
        "useRedirectOnError": 0,
        "globalStorage": "Apache::Session::File",
        "globalStorageOptions": {
            "Directory": f"{folder}/sessions",
            "LockDirectory": f"{folder}/sessions/lock",
            "generateModule": "Lemonldap::NG::Common::Apache::Session::Generate::SHA256",
        },
        "persistentStorage": "Apache::Session::File",
        "persistentStorageOptions": {
            "Directory": f"{folder}/psessions",
            "LockDirectory": f"{folder}/psessions/lock",
        },
        "localSessionStorageOptions": {
            "namespace": "sessions",
            "cache_root": f"{folder}/cache",
            "cache_depth": 1,
            "default_expires_in": 600,
        },
        # Pages that no test opens, and whose modules Debian only recommends.
        "captcha_mail_enabled": 0,
        "captcha_register_enabled": 0,
        "portalDisplayRegister": 0,
        "portalDisplayResetPassword": 0,
        "passwordDB": "",
        "passwordPolicyActivation": 0,
        "locationRules": {},
        "applicationList": {},
        "multiValuesSeparator": VALUES_SEPARATOR,
    }


def _people(folder: Path) -> dict[str, Any]:
    return {
        "authentication": "DBI",
        "userDB": "Same",
        "dbiAuthChain": f"dbi:SQLite:dbname={folder}/people.sqlite",
        "dbiAuthTable": "people",
        "dbiUserTable": "people",
        "dbiAuthLoginCol": "uid",
        "dbiAuthPasswordCol": "password",
        "dbiExportedVars": {name: name for name in ("uid", "cn", "mail", "department", "groups")},
    }


def _saml(sp: SAMLSP) -> dict[str, Any]:
    private_key, certificate = make_signing_key(CERTIFICATE_NAME)
    return {
        "issuerDBSAMLActivation": 1,
        "samlServicePrivateKeySig": private_key,
        "samlServicePublicKeySig": certificate,
        "samlServiceSignatureMethod": "RSA_SHA256",
        "samlServiceUseCertificateInResponse": 1,
        "samlSPMetaDataXML": {SP_NAME: {"samlSPMetaDataXML": sp.metadata_xml}},
        "samlSPMetaDataExportedAttributes": {
            SP_NAME: {
                key: f"1;{attribute};{BASIC_NAME_FORMAT};{attribute}"
                for key, attribute in {
                    "uid": "uid",
                    "mail": "mail",
                    "cn": "displayName",
                    "department": "department",
                }.items()
            }
            | {"groups": f"0;groups;{BASIC_NAME_FORMAT};groups"}
        },
        "samlSPMetaDataOptions": {
            SP_NAME: {
                "samlSPMetaDataOptionsNameIDFormat": "email",
                "samlSPMetaDataOptionsCheckSSOMessageSignature": 1,
                "samlSPMetaDataOptionsCheckSLOMessageSignature": 1,
                "samlSPMetaDataOptionsSignSSOMessage": 1,
                "samlSPMetaDataOptionsSignSLOMessage": 1,
                "samlSPMetaDataOptionsEnableIDPInitiatedURL": 1,
                "samlSPMetaDataOptionsSessionNotOnOrAfterTimeout": 8 * HOUR_SECONDS,
                "samlSPMetaDataOptionsNotOnOrAfterTimeout": 300,
                "samlSPMetaDataOptionsEncryptionMode": sp.encryption,
            }
        },
    }


def _oidc(client: OIDCClient) -> dict[str, Any]:
    private_key, certificate = make_signing_key(CERTIFICATE_NAME)
    return {
        "issuerDBOpenIDConnectActivation": 1,
        "oidcServicePrivateKeySig": private_key,
        "oidcServicePublicKeySig": certificate,
        "oidcServiceKeyIdSig": "rig",
        "oidcRPMetaDataExportedVars": {
            RP_NAME: {
                "name": "cn;string;never",
                "email": "mail;string;never",
                "preferred_username": "uid;string;never",
                "department": "department;string;never",
                "groups": "groups;string;always",
            }
        },
        "oidcRPMetaDataOptionsExtraClaims": {RP_NAME: {"groups": "groups department"}},
        "oidcRPMetaDataOptions": {
            RP_NAME: {
                "oidcRPMetaDataOptionsClientID": client.client_id,
                "oidcRPMetaDataOptionsClientSecret": client.client_secret,
                "oidcRPMetaDataOptionsRedirectUris": client.redirect_uri,
                "oidcRPMetaDataOptionsUserIDAttr": "uid",
                "oidcRPMetaDataOptionsIDTokenSignAlg": "RS256",
                "oidcRPMetaDataOptionsIDTokenForceClaims": 1,
                "oidcRPMetaDataOptionsRequirePKCE": 1,
                "oidcRPMetaDataOptionsBypassConsent": 1,
                "oidcRPMetaDataOptionsLogoutUrl": client.redirect_uri.replace(
                    "/callback", f"/{client.logout_channel}channel-logout"
                ),
                "oidcRPMetaDataOptionsLogoutType": client.logout_channel,
                "oidcRPMetaDataOptionsPostLogoutRedirectUris": urljoin(client.redirect_uri, "/signed-out"),
                "oidcRPMetaDataOptionsLogoutSessionRequired": 1,
            }
        },
    }
