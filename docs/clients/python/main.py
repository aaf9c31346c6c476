"""Registers clients, updates one, reads why an update is rejected, and pages through the list."""

import os

from clientele_client import AuthenticatedClient
from clientele_client.api.clients import create_client, list_clients, update_client
from clientele_client.models import (
    CreateClientDetailResponse,
    CreateClientRequest,
    OAuthClientItemDetailResponse,
    OAuthClientListResponse,
    SimpleResponse,
    UpdateClientRequest,
    UpdateClientRequestLabels,
)

api = AuthenticatedClient(base_url=os.environ["CLIENTELE_URL"], token=os.environ["CLIENTELE_TOKEN"])

created = create_client.sync_detailed(
    client=api,
    body=CreateClientRequest(
        client_id="urn:example:a/../b app+1@example.com", name="Python", redirect_uris=["https://app.example.com/callback"]
    ),
)
assert isinstance(created.parsed, CreateClientDetailResponse) and created.parsed.data
client_id = created.parsed.data.client_id
assert isinstance(client_id, str)
print("created", created.headers["ETag"])

updated = update_client.sync_detailed(
    client_id,
    client=api,
    if_match=created.headers["ETag"],
    body=UpdateClientRequest(
        logo_url="https://app.example.com/logo.png",
        response_types=["code"],
        access_token_lifetime=900,
        labels=UpdateClientRequestLabels.from_dict({"example.com/tier": "gold"}),
    ),
)
assert isinstance(updated.parsed, OAuthClientItemDetailResponse) and updated.parsed.data
record = updated.parsed.data
print("updated", updated.headers["ETag"], record.logo_url)
assert record.response_types and record.labels
print(f"record [{','.join(record.response_types)}]", record.access_token_lifetime, record.labels["example.com/tier"])

rejected = update_client.sync(
    client_id,
    client=api,
    body=UpdateClientRequest(
        redirect_uris=["https://app.example.com/callback#top"], grant_types=["authorization_code", "magic"]
    ),
)
assert isinstance(rejected, SimpleResponse)
for violation in rejected.violations or []:
    print("rejected", violation.field, violation.rule)

for n in range(4):
    create_client.sync(
        client=api, body=CreateClientRequest(name=f"Listed {n}", grant_types=["client_credentials"])
    )
listed = 0
page = list_clients.sync(client=api, name="listed", limit=3)
while isinstance(page, OAuthClientListResponse):
    listed += len(page.items or [])
    page = list_clients.sync(client=api, name="listed", limit=3, after=page.next_) if page.next_ else None
print("listed", listed)
