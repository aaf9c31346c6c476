"""What Schemathesis cannot generate: registrations with their tokens, and where requests come from.

Half of the requests of a client about its registration get a client that exists and its
token, so that they succeed; the other half stay as generated. The choices depend on the
request alone, so that a request can be repeated.
"""

import itertools
import os
import random

import requests
import schemathesis
from schemathesis.core.parameters import ParameterLocation

URL = os.environ["CLIENTELE_URL"]
ADMIN = os.environ["CLIENTELE_TOKEN"]
DOCUMENT = os.environ["CLIENTELE_DOCUMENT"]  # a client ID metadata document
TENANT = "tenant_dev"
REGISTER = f"{URL}/oauth/{TENANT}/register"
METADATA = {
    "redirect_uris": ["https://app.example.com/callback"],
    "token_endpoint_auth_method": "none",
}
# Members that are valid together with METADATA.
MORE = {
    "client_name": "My App",
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "scope": "openid profile",
    "contacts": ["a@example.com"],
    "logo_uri": "https://app.example.com/logo.png",
    "software_id": "app",
    "default_max_age": 60,
    "unknown": {"a": [1]},
}
# The registrations with one initial access token are limited to 60 in a minute.
USES_OF_A_TOKEN = 50

senders = (f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in itertools.count(1))


def administrator():
    return {"Authorization": f"Bearer {ADMIN}"}


def send(method, url, **arguments):
    response = requests.request(method, url, timeout=10, **arguments)
    response.raise_for_status()
    return response.json()


def register():
    """Register a client. The service trusts the address that a proxy on this machine names."""
    return send("POST", REGISTER, json=METADATA, headers={"X-Forwarded-For": next(senders)})


def initial_tokens():
    """Return initial access tokens, each as often as it may be used in a minute."""
    while True:
        body = {"max_uses": 10_000}
        token = send("POST", f"{URL}/admin/oauth/registration-tokens", json=body, headers=administrator())
        yield from itertools.repeat(token["data"]["token"], USES_OF_A_TOKEN)


tokens = initial_tokens()


def valid_metadata(choose):
    return METADATA | {name: MORE[name] for name in choose.sample(sorted(MORE), choose.randrange(len(MORE)))}


def is_generated_as_valid(case, location):
    return case.meta is None or not case.meta.is_negative_at(location)


def use_document(case):
    """Replace the document of a request with one that exists."""
    if case.method == "GET":
        if is_generated_as_valid(case, ParameterLocation.QUERY):
            case.query = {**(case.query or {}), "client_id": DOCUMENT}
    elif is_generated_as_valid(case, ParameterLocation.BODY):
        found = send("GET", f"{URL}/admin/oauth/client-metadata", params={"client_id": DOCUMENT}, headers=administrator())
        case.body = {"client_id": DOCUMENT, "digest": found["data"]["document"]["digest"]}


def use_registration(case, choose):
    """Make a request about a registration one of a client that exists, and return its token."""
    if not is_generated_as_valid(case, ParameterLocation.PATH):
        return next(tokens)
    metadata = valid_metadata(choose)
    if "client_id" in case.path_parameters:
        registered = register()
        case.path_parameters["client_id"] = metadata["client_id"] = registered["client_id"]
        token = registered["registration_access_token"]
    else:
        token = next(tokens)
    if case.method in ("POST", "PUT") and case.media_type == "application/json":
        if is_generated_as_valid(case, ParameterLocation.BODY) and choose.random() < 0.7:
            case.body = metadata
    return token


@schemathesis.auth(refresh_interval=None)
class Authorization:
    """Sets the token of each request, and what the token is for."""

    def get(self, case, context):
        return True

    def set(self, case, data, context):
        choose = random.Random(f"{case.method} {case.path} {case.path_parameters} {case.query} {case.body}")
        case.headers["X-Forwarded-For"] = next(senders)
        token = ADMIN
        if "tenant" in case.path_parameters and is_generated_as_valid(case, ParameterLocation.PATH):
            if choose.random() < 0.9:
                case.path_parameters = {**case.path_parameters, "tenant": TENANT}
        if choose.random() < 0.5:
            if case.path.startswith("/oauth/{tenant}/register"):
                token = use_registration(case, choose)
            elif case.path.startswith("/admin/oauth/client-metadata"):
                use_document(case)
        case.headers["Authorization"] = f"Bearer {token}"
