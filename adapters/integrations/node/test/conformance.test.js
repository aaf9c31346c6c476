// Drives the example server over HTTP, with the real registry behind it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { join } from 'node:path';
import {
  TestRegistry, authorize, clientCredentials, codeFlow, eventually, keyCredentials, keyPair, refresh, startServer, temporaryDirectory, userinfo,
} from './support.js';

const redirectURI = 'https://client.example.com/callback';
/** Every change is enforced within this time. */
const limit = 1_000;

async function clients(registry) {
  const key = keyPair();
  await registry.create({
    client_id: 'app', name: 'App', redirect_uris: [redirectURI], client_auth_methods: ['none'], is_confidential: false, scopes: ['openid', 'profile'],
  });
  const { client_secret: secret } = await registry.create({
    client_id: 'web', name: 'Web', redirect_uris: [redirectURI], client_auth_methods: ['client_secret_basic'],
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'], scopes: ['openid', 'profile', 'payments'],
  });
  await registry.create({
    client_id: 'key', name: 'Key', client_auth_methods: ['private_key_jwt'], grant_types: ['client_credentials'], scopes: ['payments'],
    jwks: JSON.stringify({ keys: [key.publicJWK] }),
  });
  return { secret, key };
}

test('a server obeys the registry', async (t) => {
  const registry = await TestRegistry.start(t);
  const { issuer, health, program } = await startServer(t, registry);
  let { secret, key } = await clients(registry);
  await eventually('the clients are known', async () => (await health()).clients === 3, limit);

  await t.test('a public client gets a code with PKCE only', async () => {
    const { status, body } = await codeFlow(issuer, { id: 'app', redirectURI });
    assert.equal(status, 200);
    assert.ok(body.id_token);
    assert.equal((await authorize(issuer, 'app', redirectURI, { challenge: false })).error, 'invalid_request');
  });

  await t.test('credentials', async () => {
    assert.equal((await clientCredentials(issuer, 'web', secret)).status, 200);
    assert.equal((await keyCredentials(issuer, 'key', key)).status, 200);
    for (const wrong of ['wrong', `${secret}x`, 'é', 'x'.repeat(513), '\u0000']) {
      const { status, body } = await clientCredentials(issuer, 'web', wrong);
      assert.ok(status === 401 || status === 400, `${JSON.stringify(wrong)}: ${status}`);
      assert.match(body.error, /^invalid_(client|request)$/);
    }
    assert.equal((await keyCredentials(issuer, 'key', keyPair(key.kid))).body.error, 'invalid_client');
    assert.equal((await clientCredentials(issuer, 'nobody', secret)).body.error, 'invalid_client');
  });

  const tokens = (await codeFlow(issuer, { id: 'web', secret, redirectURI, scope: 'openid' })).body;
  assert.ok(tokens.refresh_token);

  await t.test('a changed redirect URI', async () => {
    const other = 'https://client.example.com/other';
    assert.equal((await authorize(issuer, 'web', other)).status, 400);
    await registry.update('web', { redirect_uris: [other] });
    await eventually('the new one is accepted', async () => (await authorize(issuer, 'web', other)).code, limit);
    const old = await authorize(issuer, 'web', redirectURI);
    assert.equal(old.status, 400);
    assert.match(old.page, /redirect_uri/);
    await registry.update('web', { redirect_uris: [redirectURI] });
    await eventually('the old one is accepted again', async () => (await authorize(issuer, 'web', redirectURI)).code, limit);
  });

  await t.test('a suspended client is unknown, and known again when it is active', async () => {
    await registry.update('web', { status: 'suspended' });
    await eventually('its secret is refused', async () => (await clientCredentials(issuer, 'web', secret)).status === 401, limit);
    assert.equal((await authorize(issuer, 'web', redirectURI)).status, 400);
    assert.equal((await refresh(issuer, 'web', secret, tokens.refresh_token)).body.error, 'invalid_client');
    assert.equal(await userinfo(issuer, tokens.access_token), 401);
    await registry.update('web', { status: 'active' });
    await eventually('its secret is accepted', async () => (await clientCredentials(issuer, 'web', secret)).status === 200, limit);
    assert.equal((await refresh(issuer, 'web', secret, tokens.refresh_token)).status, 200);
  });

  await t.test('a rotation without grace ends the old secret', async () => {
    const old = secret;
    assert.equal((await clientCredentials(issuer, 'web', old)).status, 200);
    secret = await registry.rotate('web', 0);
    await eventually('the old one is refused', async () => (await clientCredentials(issuer, 'web', old)).status === 401, limit);
    assert.equal((await clientCredentials(issuer, 'web', secret)).status, 200);
  });

  await t.test('a secret ends with its grace, also if its verification is kept', async () => {
    const old = secret;
    const began = performance.now();
    secret = await registry.rotate('web', 2);
    await eventually('the new one is accepted', async () => (await clientCredentials(issuer, 'web', secret)).status === 200, limit);
    assert.equal((await clientCredentials(issuer, 'web', old)).status, 200);
    await eventually('the old one is refused', async () => (await clientCredentials(issuer, 'web', old)).status === 401, 2000 + limit);
    assert.ok(performance.now() - began > 1900, 'it ended before its time');
    assert.equal((await clientCredentials(issuer, 'web', secret)).status, 200);
  });

  await t.test('a deleted client is unknown, and known again when it is restored', async () => {
    await registry.delete('web');
    await eventually('it is unknown', async () => (await clientCredentials(issuer, 'web', secret)).status === 401, limit);
    assert.equal((await authorize(issuer, 'web', redirectURI)).status, 400);
    await registry.restore('web');
    await eventually('it is known', async () => (await clientCredentials(issuer, 'web', secret)).status === 200, limit);
  });

  await t.test('a key ends when it is removed', async () => {
    const old = key;
    key = keyPair();
    await registry.update('key', { jwks: JSON.stringify({ keys: [key.publicJWK] }) });
    await eventually('the old one is refused', async () => (await keyCredentials(issuer, 'key', old)).status === 401, limit);
    assert.equal((await keyCredentials(issuer, 'key', key)).status, 200);
  });

  await t.test('a client that the server refuses is reported and disturbs no other client', async () => {
    await registry.create({ client_id: 'foreign', name: 'Foreign', grant_types: ['client_credentials'], scopes: ['unknown'] });
    await eventually('it is reported', async () => (await health()).rejectedCount === 1, limit);
    const [refusal] = (await health()).rejected;
    assert.equal(refusal.clientId, 'foreign');
    assert.equal(refusal.reason, 'scope must only contain Authorization Server supported scope values');
    assert.equal(program.output.split('rejects the client "foreign"').length, 2, program.output);
    assert.equal((await clientCredentials(issuer, 'web', secret)).status, 200);
    assert.equal((await clientCredentials(issuer, 'foreign', 'wrong')).body.error, 'invalid_client_metadata');
    await registry.update('foreign', { scopes: ['payments'] });
    await eventually('it is served', async () => (await health()).rejectedCount === 0, limit);
  });

  await t.test('400 token requests of one client at 200 a second', async () => {
    const results = [];
    for (let i = 0; i < 400; i += 1) {
      results.push(clientCredentials(issuer, 'web', secret));
      await new Promise((resolve) => { setTimeout(resolve, 5); });
    }
    const failed = (await Promise.all(results)).filter(({ status }) => status !== 200);
    assert.deepEqual(failed, []);
  });
});

test('a server works while the registry is unavailable', async (t) => {
  const registry = await TestRegistry.start(t);
  const { secret, key } = await clients(registry);
  const file = join(await temporaryDirectory(t), 'mirror.ndjson');
  let server = await startServer(t, registry, { file });
  const { issuer } = server;

  const check = async () => {
    assert.equal((await codeFlow(issuer, { id: 'app', redirectURI })).status, 200);
    assert.equal((await keyCredentials(issuer, 'key', key)).status, 200);
    assert.equal((await keyCredentials(issuer, 'key', keyPair(key.kid))).body.error, 'invalid_client');
    const unknown = await clientCredentials(issuer, 'web', secret);
    assert.equal(unknown.status, 503, JSON.stringify(unknown.body));
    assert.equal(unknown.body.error, 'temporarily_unavailable');
    assert.ok(Number(unknown.headers.get('retry-after')) >= 1);
    assert.equal(unknown.headers.get('location'), null);
    assert.equal((await clientCredentials(issuer, 'web', 'wrong')).status, 503);
    assert.equal((await clientCredentials(issuer, 'nobody', 'wrong')).body.error, 'invalid_client');
    await eventually('the outage is reported', async () => (await server.health()).state === 'disconnected');
  };

  await registry.kill();
  await check();

  await t.test('also if it is started then', async () => {
    await server.program.kill('SIGTERM');
    server = await startServer(t, registry, { file, port: new URL(issuer).port });
    await check();
  });

  await t.test('and catches up when it is back', async () => {
    await registry.run();
    const back = performance.now();
    await registry.update('app', { redirect_uris: ['https://client.example.com/after'] });
    await eventually('secrets are verified', async () => (await clientCredentials(issuer, 'web', secret)).status === 200, 3_000);
    await eventually('the change is enforced', async () => (await authorize(issuer, 'app', 'https://client.example.com/after')).code, 3_000);
    t.diagnostic(`caught up ${Math.round(performance.now() - back)} ms after it was back`);
    assert.equal((await server.health()).state, 'current');
  });
});
