// The configuration of oidc-provider and its clients.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import Provider from 'oidc-provider';
import { MemoryAdapter } from '../example/memory.js';
import { settings } from '../example/settings.js';
import { clienteleAdapter, configuration, install } from '../dist/index.js';
import { FakeRegistry, change, client, snapshot } from './fake.js';
import { authorize, clientCredentials, eventually, keyCredentials, keyPair, post } from './support.js';

/** Starts a provider on the clients. */
async function start(t, clients, base = {}, { options, connect = install, registryOptions } = {}) {
  const fake = await FakeRegistry.start(t);
  fake.snapshot = () => snapshot(...clients);
  fake.verify = (secret) => ({ valid: secret === 'right', max_age_seconds: 60 });
  const registry = await fake.open(registryOptions);
  const server = createServer((request, response) => serve(request, response));
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration(registry, { ...settings, ...base }, options));
  const errors = [];
  for (const event of ['server_error', 'grant.error', 'authorization.error']) provider.on(event, (ctx, error) => errors.push(error));
  const serve = provider.callback();
  await connect(registry, provider);
  return { fake, registry, provider, issuer, errors };
}

test('algorithms that use a secret as their key', async (t) => {
  const fake = await FakeRegistry.start(t);
  const registry = await fake.open();
  for (const enabledJWA of [
    { idTokenSigningAlgValues: ['RS256', 'HS256'] }, { userinfoSigningAlgValues: ['HS512'] }, { requestObjectSigningAlgValues: ['HS384'] },
    { introspectionSigningAlgValues: ['HS256'] }, { authorizationSigningAlgValues: ['HS256'] }, { clientAuthSigningAlgValues: ['HS256'] },
    { idTokenEncryptionAlgValues: ['dir'] }, { userinfoEncryptionAlgValues: ['A128KW'] }, { requestObjectEncryptionAlgValues: ['A256GCMKW'] },
  ]) {
    assert.throws(() => configuration(registry, { ...settings, enabledJWA }), /would use the client's secret as its key/, JSON.stringify(enabledJWA));
  }
  assert.throws(() => configuration(registry, { ...settings, clientAuthMethods: ['client_secret_jwt'] }), /client_secret_jwt/);

  // By default they are off. With encryption on, oidc-provider would accept request objects that a secret encrypts.
  const features = { ...settings.features, encryption: { enabled: true }, requestObjects: { enabled: true }, jwtUserinfo: { enabled: true } };
  const provider = new Provider('http://127.0.0.1', configuration(registry, { ...settings, features }));
  const server = createServer(provider.callback());
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.after(() => server.close());
  const discovery = await (await fetch(`http://127.0.0.1:${server.address().port}/.well-known/openid-configuration`)).json();
  for (const [name, values] of Object.entries(discovery)) {
    if (/_alg_values_supported$/.test(name)) assert.ok(values.every((value) => !/^(?:HS|A\d|dir)/.test(value)), `${name}: ${values}`);
  }
  assert.ok(!discovery.token_endpoint_auth_methods_supported.includes('client_secret_jwt'));
});

test('a client that needs the value of its secret is refused, whatever the configuration', async (t) => {
  const fake = await FakeRegistry.start(t);
  const clients = [
    client('signs', 1, { id_token_signed_response_alg: 'HS256' }), client('encrypts', 1, { id_token_encrypted_response_alg: 'A128KW' }),
    client('asserts', 1, { token_endpoint_auth_method: 'client_secret_jwt' }), client('good'),
  ];
  fake.snapshot = () => snapshot(...clients);
  const registry = await fake.open();
  const features = { ...settings.features, encryption: { enabled: true } };
  const provider = new Provider('http://127.0.0.1', { ...settings, features, adapter: clienteleAdapter(registry, MemoryAdapter) });
  await install(registry, provider);
  assert.deepEqual(registry.health().rejected.map(({ clientId }) => clientId), ['signs', 'encrypts', 'asserts']);
  for (const { client_id: id } of clients.slice(0, 3)) await assert.rejects(provider.Client.find(id), { error_description: /needs the value of the secret/ });
  assert.ok(await provider.Client.find('good'));
});

test('what the configuration must have', async (t) => {
  const fake = await FakeRegistry.start(t);
  const registry = await fake.open();
  assert.throws(() => configuration(registry, { ...settings, adapter: undefined }), /adapter must be set/);
  assert.throws(() => configuration(registry, { ...settings, features: { registration: { enabled: true } } }), /registered in the registry/);
  assert.throws(() => configuration(registry, { ...settings, features: { clientIdMetadataDocument: { enabled: true } } }), /read from its URL/);
  assert.throws(() => configuration(registry, settings, { jwksUriMaxAge: 0 }), /jwksUriMaxAge/);
});

test('a server that was not installed on says so', async (t) => {
  const { issuer, errors } = await start(t, [client('a')], {}, { connect: () => {} });
  assert.equal((await clientCredentials(issuer, 'a', 'right')).status, 500);
  assert.match(errors[0].message, /call install/);
});

test('placeholders are no secrets', async (t) => {
  const { issuer, provider, registry } = await start(t, [client('a', 1, { scope: 'payments' })]);
  const { clientSecret } = await provider.Client.find('a');
  assert.equal((await clientCredentials(issuer, 'a', clientSecret)).body.error, 'invalid_client');
  assert.equal((await clientCredentials(issuer, 'a', 'right')).status, 200);
  assert.equal(registry.get('a').client_secret, undefined);
});

test('clients of the configuration keep their secrets', async (t) => {
  const own = { client_id: 'own', client_secret: 'own-secret', grant_types: ['client_credentials'], response_types: [], redirect_uris: [] };
  const { issuer } = await start(t, [client('a')], { clients: [own] });
  assert.equal((await clientCredentials(issuer, 'own', 'own-secret')).status, 200);
  assert.equal((await clientCredentials(issuer, 'own', 'right')).status, 401);
});

test('the registry alone changes clients', async (t) => {
  const { registry } = await start(t, [client('a')]);
  const adapter = clienteleAdapter(registry, MemoryAdapter)('Client');
  await assert.rejects(adapter.upsert('a', {}, 1), /in the registry only/);
  await assert.rejects(adapter.destroy('a'), /in the registry only/);
});

test('adapters of all forms', async (t) => {
  const { registry } = await start(t, [client('a')]);
  assert.equal(clienteleAdapter(registry, MemoryAdapter)('Session').name, 'Session');
  assert.equal(clienteleAdapter(registry, (name) => ({ name }))('Session').name, 'Session');
  assert.throws(() => clienteleAdapter(registry), TypeError);
});

test('a stale copy gives a 503 at every endpoint, and no redirect', async (t) => {
  const publicClient = client('a', 1, { token_endpoint_auth_method: 'none', grant_types: ['authorization_code'], response_types: ['code'], redirect_uris: ['https://client.example.com/'] });
  const { fake, registry, issuer } = await start(t, [publicClient], {}, { registryOptions: { maxStaleness: 3 } });
  fake.answer({ data: { changes: [], next: 'c0', held_back_seconds: 100 } });
  await eventually('it is stale', () => registry.health().state === 'stale');
  for (const response of [
    await clientCredentials(issuer, 'a', 'right'),
    await post(`${issuer}/token`, { grant_type: 'authorization_code', client_id: 'a', code: 'x' }),
    await authorize(issuer, 'a', 'https://client.example.com/'),
  ]) {
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('location'), null);
    assert.match(JSON.stringify(response.body ?? response.page), /temporarily_unavailable/);
  }
});

test('lifetimes, rotation and PKCE are those of the client', async (t) => {
  const own = { access_token_lifetime: 77, id_token_lifetime: 78, refresh_token_lifetime: 99 * 86_400, refresh_token_rotation: 'rotate', require_pkce: true };
  const { provider, registry, issuer } = await start(t, [client('own', 1, { ...own, scope: 'payments' }), client('other', 1, { scope: 'payments' })], {
    ttl: { AccessToken: () => 11, IdToken: 12, RefreshToken: 13, ClientCredentials: 14, Grant: 15 },
    rotateRefreshToken: false,
    pkce: { required: () => false },
  });
  assert.equal((await clientCredentials(issuer, 'own', 'right')).body.expires_in, 77);
  assert.equal((await clientCredentials(issuer, 'other', 'right')).body.expires_in, 14);

  const { ttl, pkce, rotateRefreshToken } = configuration(registry, { ...settings, ttl: { AccessToken: () => 11, IdToken: 12, RefreshToken: 13, Grant: 15 }, rotateRefreshToken: false, pkce: { required: () => false } });
  const plain = configuration(registry, { adapter: MemoryAdapter });
  const [a, b] = [await provider.Client.find('own'), await provider.Client.find('other')];
  const token = { isSenderConstrained: () => false, totalLifetime: () => 100, ttlPercentagePassed: () => 80 };
  const ctx = (found, entities = {}) => ({ oidc: { client: found, entities: { Client: found, RefreshToken: token, ...entities }, isFapi: () => undefined } });
  assert.deepEqual([ttl.AccessToken(ctx(a), token, a), ttl.IdToken(ctx(a), token, a), ttl.RefreshToken(ctx(a), token, a), ttl.Grant(ctx(a), {})], [77, 78, 99 * 86_400, 99 * 86_400]);
  assert.deepEqual([ttl.AccessToken(ctx(b), token, b), ttl.IdToken(ctx(b), token, b), ttl.RefreshToken(ctx(b), token, b), ttl.Grant(ctx(b), {})], [11, 12, 13, 15]);
  assert.equal(ttl.AccessToken(ctx(a), { ...token, resourceServer: { accessTokenTTL: 5 } }, a), 5);
  // Nothing in the configuration: as oidc-provider does it.
  assert.deepEqual([plain.ttl.AccessToken(ctx(b), token, b), plain.ttl.ClientCredentials(ctx(b), token, b), plain.ttl.RefreshToken(ctx(b), token, b), plain.ttl.Grant(ctx(b), {})], [3600, 600, 14 * 86_400, 14 * 86_400]);
  // A rotated token of a public client does not live longer than the first one.
  const browser = { ...a, clientAuthMethod: 'none', applicationType: 'web' };
  assert.equal(ttl.RefreshToken(ctx(browser, { RotatedRefreshToken: { remainingTTL: 9 } }), token, browser), 9);

  assert.deepEqual([rotateRefreshToken(ctx(a)), rotateRefreshToken(ctx(b)), plain.rotateRefreshToken(ctx(b))], [true, false, true]);
  assert.equal(plain.rotateRefreshToken(ctx({ ...b, refresh_token_rotation: 'reuse' })), false);
  assert.deepEqual([pkce.required(ctx(a), a), pkce.required(ctx(b), b), plain.pkce.required(ctx(b), b)], [true, false, false]);
  assert.equal(plain.pkce.required(ctx(browser), browser), true);
});

test('CORS is that of the client', async (t) => {
  const { issuer, fake, registry } = await start(t, [client('a', 1, { scope: 'payments', cors_origins: ['https://app.example.com'] })]);
  const send = async (origin) => {
    const headers = { origin, authorization: `Basic ${btoa('a:right')}` };
    const response = await post(`${issuer}/token`, { grant_type: 'client_credentials', scope: 'payments' }, headers);
    return [response.status, response.headers.get('access-control-allow-origin')];
  };
  assert.deepEqual(await send('https://app.example.com'), [200, 'https://app.example.com']);
  assert.deepEqual(await send('https://evil.example.com'), [400, null]);
  fake.change(change('a', 2, { scope: 'payments', cors_origins: ['https://evil.example.com'] }));
  await eventually('the change is applied', () => registry.get('a').revision === 2);
  assert.deepEqual(await send('https://app.example.com'), [400, null]);
});

test('further fields of the registry are properties of clients', async (t) => {
  const { provider } = await start(t, [client('a', 1, { owner: 'team', labels: { tier: 'gold' }, skip_consent: true })], { extraClientMetadata: { properties: ['custom', 'owner'] } });
  const found = await provider.Client.find('a');
  assert.deepEqual([found.owner, found.labels, found.skip_consent], ['team', { tier: 'gold' }, true]);
});

test('requirements that the server ignores are reported', async (t) => {
  const { fake, registry } = await start(t, [client('a', 1, { dpop_bound_access_tokens: true, require_signed_request_object: false })], { features: { ...settings.features, dPoP: { enabled: false } } });
  assert.deepEqual(registry.health().ignored, [{ clientId: 'a', revision: 1, reason: 'dpop_bound_access_tokens (features.dPoP)' }]);
  assert.deepEqual(fake.messages, ['the authorization server ignores fields of the client "a": dpop_bound_access_tokens (features.dPoP)']);
  fake.change(change('a', 2));
  await eventually('it is gone', () => registry.health().ignoredCount === 0);
});

test('a key that is removed from a jwks_uri', async (t) => {
  const [first, second] = [keyPair('same'), keyPair('other')];
  let keys = [first, second];
  const host = createServer((request, response) => {
    // The provider would keep them for a day.
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'max-age=86400' }).end(JSON.stringify({ keys: keys.map(({ publicJWK }) => publicJWK) }));
  });
  await new Promise((resolve) => { host.listen(0, '127.0.0.1', resolve); });
  t.after(() => { host.closeAllConnections(); host.close(); });
  const { issuer } = await start(t, [client('a', 1, {
    token_endpoint_auth_method: 'private_key_jwt', scope: 'payments', jwks_uri: `http://127.0.0.1:${host.address().port}/`,
  })], {
    // The provider connects to no loopback address by itself.
    fetch: (url, { dispatcher, ...init }) => fetch(url, init),
  }, { options: { jwksUriMaxAge: 1 } });
  assert.equal((await keyCredentials(issuer, 'a', first)).status, 200);
  keys = [second];
  const took = await eventually('it is refused', async () => (await keyCredentials(issuer, 'a', first)).status === 401, 2_000);
  t.diagnostic(`refused after ${Math.round(took)} ms`);
  assert.equal((await keyCredentials(issuer, 'a', second)).status, 200);
});
