"""Relying parties with oidcrp and with pyoidc, which register, read, update and delete
themselves.

Usage: relying_party.py ISSUER METHOD

oidcrp discovers the server, registers and reads with its services. It has none for updates
and deletions, so those here are its service for reading with another method. pyoidc has the
operations of RFC 7592.
"""

import json
import sys

from oic.extension.client import Client
from oidcmsg.oidc import RegistrationRequest
from oidcrp.oidc import RP
from oidcrp.oidc.read_registration import RegistrationRead

# What a client must not send back (RFC 7592 section 2.2).
ANSWERED = {"registration_access_token", "registration_client_uri", "client_id_issued_at", "client_secret_expires_at"}


class RegistrationUpdate(RegistrationRead):
    msg_type = RegistrationRequest
    service_name = "registration_update"
    request_body_type = "json"

    def get_request_parameters(self, request_args=None, **kwargs):
        # oidcrp writes a body only for POST.
        return {**super().get_request_parameters(request_args, method="POST"), "method": "PUT"}


class RegistrationDelete(RegistrationRead):
    service_name = "registration_delete"
    http_method = "DELETE"


def own(registered, **changes):
    """Returns the metadata of an update."""
    return {**{name: value for name, value in registered.to_dict().items() if name not in ANSWERED}, **changes}


def with_oidcrp(issuer, method):
    classes = (
        "oidcrp.oidc.provider_info_discovery.ProviderInfoDiscovery",
        "oidcrp.oidc.registration.Registration",
        RegistrationRead,
        RegistrationUpdate,
        RegistrationDelete,
    )
    rp = RP(
        services={str(i): {"class": c, "kwargs": {}} for i, c in enumerate(classes)},
        config={"issuer": issuer, "client_preferences": {"response_types": ["code"], "token_endpoint_auth_method": method}},
    )
    rp.do_request("provider_info")
    registered = rp.do_request("registration", request_args={"redirect_uris": ["https://app.example/cb"], "client_name": "oidcrp"})
    assert registered["token_endpoint_auth_method"] == method, registered.to_dict()
    assert registered["client_name"] == "oidcrp"
    read = rp.do_request("registration_read")
    assert read.to_dict() == registered.to_dict(), read.to_dict()

    changed = own(read, redirect_uris=["https://app.example/new"])
    updated = rp.do_request("registration_update", request_args=changed)
    assert updated["redirect_uris"] == ["https://app.example/new"], updated.to_dict()
    rejected = rp.do_request("registration_update", request_args={**changed, "client_id": "another"})
    assert rejected["error"] == "invalid_client_metadata", rejected.to_dict()

    request = rp.client_get("service", "registration_delete").get_request_parameters()
    assert rp.http(request["url"], request["method"], headers=request["headers"]).status_code == 204
    assert rp.do_request("registration_read")["error"] == "invalid_token"
    return registered["client_id"]


def with_pyoidc(issuer, method):
    client = Client()
    endpoint = client.provider_config(issuer)["registration_endpoint"]

    def bearer(token):
        return {"headers": {"Authorization": "Bearer " + token}}

    request = {
        "redirect_uris": ["https://app.example/cb"],
        "client_name": "pyoidc",
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
    }
    registered = client.do_client_registration(
        method="POST", endpoint=endpoint, request_args=request, body_type="json", content_type="application/json"
    )
    for name, value in request.items():
        assert registered[name] == value, registered.to_dict()
    uri, token = registered["registration_client_uri"], registered["registration_access_token"]
    read = client.do_client_read_request(endpoint=uri, body_type="json", **bearer(token))
    assert read.to_dict() == registered.to_dict(), read.to_dict()

    def update(**changes):
        return client.do_client_update_request(
            endpoint=uri, request_args=own(read, **changes), body_type="json", content_type="application/json", **bearer(token)
        )

    assert update(client_name="pyoidc 2")["client_name"] == "pyoidc 2"
    assert update(redirect_uris=["http://app.example/cb"])["error"] == "invalid_redirect_uri"
    try:
        client.do_client_delete_request(endpoint=uri, **bearer(token))
    except KeyError as missing:  # pyoidc requires Content-Length, which a 204 must not have (RFC 9110 section 8.6)
        assert missing.args == ("content-length",), missing
    assert client.do_client_read_request(endpoint=uri, body_type="json", **bearer(token))["error"] == "invalid_token"
    return registered["client_id"]


print(json.dumps({"deleted": [with_oidcrp(*sys.argv[1:]), with_pyoidc(*sys.argv[1:])]}))
