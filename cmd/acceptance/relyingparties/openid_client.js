// A relying party with openid-client, which registers, reads, updates and deletes itself.
// Usage: node openid_client.js ISSUER METHOD [INITIAL_ACCESS_TOKEN]
//
// Version 6 registers (dynamicClientRegistration); it has no functions for RFC 7592, so the
// rest is sent by its function for resources that are protected by a token. Version 5
// registers (Client.register) and reads (Client.fromUri).
import assert from 'node:assert/strict';
import * as client from 'openid-client';
import { Issuer } from 'openid-client-5';

const [issuer, method, initialAccessToken] = process.argv.slice(2);
const metadata = { client_name: 'Relying party', redirect_uris: ['https://app.example/cb'], token_endpoint_auth_method: method };

const config = await client.dynamicClientRegistration(new URL(issuer), metadata, undefined, { initialAccessToken });
const registered = config.clientMetadata();
for (const [name, value] of Object.entries(metadata)) assert.deepEqual(registered[name], value);
assert.equal('client_secret' in registered, method !== 'none');
const at = new URL(registered.registration_client_uri);
const send = (verb, body) => client.fetchProtectedResource(
  config, registered.registration_access_token, at, verb,
  body && JSON.stringify(body), body && new Headers({ 'content-type': 'application/json' }),
);

const read = await send('GET');
assert.equal(read.status, 200);
const current = await read.json();
assert.equal(current.client_id, registered.client_id);
assert.ok(!('client_secret' in current));

const {
  registration_access_token: token, registration_client_uri: uri, client_id_issued_at: issued, client_secret_expires_at: expires, ...own
} = current;
assert.equal(token, registered.registration_access_token);
assert.equal(uri, at.href);
const updated = await send('PUT', { ...own, client_secret: registered.client_secret, redirect_uris: ['https://app.example/new'] });
assert.equal(updated.status, 200, await updated.clone().text());
const renewed = await updated.json();
assert.deepEqual(renewed.redirect_uris, ['https://app.example/new']);
assert.equal(renewed.client_id_issued_at, issued);
assert.equal(renewed.client_secret_expires_at, expires);

const rejected = await send('PUT', { ...own, redirect_uris: ['https://app.example/new#fragment'] });
assert.equal(rejected.status, 400);
assert.equal((await rejected.json()).error, 'invalid_redirect_uri');
assert.deepEqual((await (await send('GET')).json()).redirect_uris, ['https://app.example/new']);

assert.equal((await send('DELETE')).status, 204);
await assert.rejects(send('GET'), (error) => {
  assert.ok(error instanceof client.WWWAuthenticateChallengeError);
  assert.equal(error.status, 401);
  assert.equal(error.cause[0].scheme, 'bearer');
  assert.equal(error.cause[0].parameters.error, 'invalid_token');
  return true;
});

const { Client } = await Issuer.discover(issuer);
const older = await Client.register({ ...metadata, client_name: 'Older relying party' }, { initialAccessToken });
assert.deepEqual(older.metadata.redirect_uris, metadata.redirect_uris);
const same = await Client.fromUri(older.metadata.registration_client_uri, older.metadata.registration_access_token);
assert.equal(same.metadata.client_id, older.metadata.client_id);
assert.equal(same.metadata.client_name, 'Older relying party');
await assert.rejects(Client.fromUri(older.metadata.registration_client_uri, 'another'), { error: 'invalid_token' });

console.log(JSON.stringify({ deleted: [registered.client_id], kept: [older.metadata.client_id] }));
