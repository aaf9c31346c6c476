// Clients by URL: what is kept, what is asked again, and what cannot be known.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import Provider from 'oidc-provider';
import { settings } from '../example/settings.js';
import { RegistryUnavailableError, configuration, install } from '../dist/index.js';
import { FakeRegistry, change, client, failure, snapshot } from './fake.js';
import { authorize, eventually } from './support.js';

const url = 'https://agent.example.com/client.json';

/** The response of the registry for a document that is fresh for so many seconds. */
const document = (id = url, seconds = 60, more = {}) => ({
  ...client(id, undefined, { revision: undefined, token_endpoint_auth_method: 'none', grant_types: ['authorization_code'], response_types: ['code'], redirect_uris: ['https://agent.example.com/callback'], scope: 'openid' }),
  document: { fresh_until: new Date(Date.now() + seconds * 1000).toISOString() }, ...more,
});

const rejected = (reason) => failure(404, 'not usable', { reason });

async function start(t, options = { documents: true }) {
  const fake = await FakeRegistry.start(t);
  fake.snapshot = () => snapshot(client('a'), client('https://approved.example.com/', 3));
  fake.document = (id) => document(id);
  return { fake, registry: await fake.open(options), asked: () => fake.asked('/client-metadata') };
}

test('the registry is asked about URLs that are not in the copy, and a document is used while it is fresh', async (t) => {
  const { fake, registry, asked } = await start(t);
  assert.equal((await registry.resolve('a')).client_id, 'a');
  assert.equal(await registry.resolve('unknown'), undefined);
  assert.equal(await registry.resolve(`https://agent.example.com/${'x'.repeat(1_024)}`), undefined);
  assert.equal(asked(), 0);
  for (let i = 0; i < 3; i += 1) {
    const found = await registry.resolve(url);
    assert.deepEqual([found.client_id, found.revision, found.document], [url, 0, undefined]);
    found.redirect_uris.push('https://evil.example.com/');
  }
  assert.equal((await registry.resolve(url)).redirect_uris.length, 1);
  assert.equal(asked(), 1);
  assert.match(fake.requests.at(-1).url, /[?&]client_id=https%3A%2F%2Fagent.example.com%2Fclient.json&format=rfc7591$/);
  assert.deepEqual(registry.health().documents, { kept: 1, running: 0 });
  assert.equal(registry.get(url), undefined);
  assert.equal(await registry.verify(url, 'secret'), false);
});

test('clients by URL are off by default', async (t) => {
  const { registry, asked } = await start(t, {});
  assert.equal(await registry.resolve(url), undefined);
  assert.equal((await registry.resolve('https://approved.example.com/')).revision, 3);
  assert.equal(asked(), 0);
});

test('a document that is not admitted is an unknown client, and what cannot be known is unavailable', { concurrency: true }, async (t) => {
  const cases = {
    'denied': [rejected('denied'), undefined],
    'unreachable': [rejected('unreachable'), undefined],
    'a malformed identifier': [failure(400, 'no URL', { violations: [{ field: '?client_id' }] }), undefined],
    'suspended': [document(url, 60, { status: 'suspended' }), undefined],
    'a 404 of a proxy': [[404, '<html></html>'], /responded with 404/],
    'no permission': [failure(403), /responded with 403/],
    'a failure': [failure(500), /responded with 500/],
    'another client': [document('https://other.example.com/'), /another client/],
    'no time': [document(url, 60, { document: {} }), /how long/],
    'garbage': ['garbage', /not JSON/],
    'an array': ['[]', /not a JSON object/],
    'too large': [`{"x":"${'x'.repeat(600_000)}"}`, /larger than/],
  };
  await Promise.all(Object.entries(cases).map(([name, [response, message]]) => t.test(name, async (t) => {
    const { fake, registry } = await start(t);
    fake.document = () => response;
    if (message) await assert.rejects(registry.resolve(url), (error) => error instanceof RegistryUnavailableError && message.test(error.message));
    else assert.equal(await registry.resolve(url), undefined);
    // It is kept for a second.
    fake.document = (id) => document(id);
    await eventually('it is asked again', async () => (await registry.resolve(url).catch(() => undefined)) !== undefined, 2_000);
  })));
});

test('all who want a document share one request', async (t) => {
  const { fake, registry, asked } = await start(t);
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  fake.document = async (id) => {
    await held;
    return id === url ? document(id) : rejected('malformed');
  };
  const results = Promise.all(Array.from({ length: 20 }, (_, i) => registry.resolve(i % 2 ? url : `${url}/wrong`)));
  await eventually('both are requested', () => registry.health().documents.running === 2);
  release();
  assert.deepEqual((await results).map((found) => found?.client_id), Array.from({ length: 20 }, (_, i) => (i % 2 ? url : undefined)));
  assert.equal(asked(), 2);
});

test('a document ends, by the clock of the registry, and is not used longer while the registry is unavailable', async (t) => {
  const { fake, registry } = await start(t);
  const there = Date.now() - 5 * 3600 * 1000;
  fake.document = (id) => [200, document(id, 0, { document: { fresh_until: new Date(there + 2_000).toISOString() } }), { date: new Date(there).toUTCString() }];
  await registry.resolve(url);
  const began = performance.now();
  fake.document = () => failure(503);
  await registry.resolve(url);
  await eventually('it ends', () => registry.resolve(url).then(() => false, (error) => error instanceof RegistryUnavailableError), 5_000);
  assert.ok(performance.now() - began > 900);
  await fake.stop();
  await assert.rejects(registry.resolve(url), RegistryUnavailableError);
});

test('what the copy has of a client counts, not its document', async (t) => {
  const { fake, registry, asked } = await start(t);
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  fake.document = async (id) => {
    await held;
    return document(id);
  };
  const first = registry.resolve(url);
  await eventually('it is requested', () => asked() === 1);
  fake.change(change(url, 1, { status: 'suspended' }, 'create'));
  await eventually('the change is applied', () => registry.health().clients === 3);
  release();
  assert.equal(await first, undefined);
  assert.equal(await registry.resolve(url), undefined);
  assert.equal(asked(), 1);
});

test('the registry is asked about an approved document in the background', async (t) => {
  const { fake, registry, asked } = await start(t);
  const approved = 'https://approved.example.com/';
  fake.document = (id) => document(id, 1, { redirect_uris: [] });
  for (let i = 0; i < 3; i += 1) assert.equal((await registry.resolve(approved)).revision, 3);
  await eventually('it is asked', () => asked() === 1);
  await eventually('it is asked again', async () => (await registry.resolve(approved)).revision === 3 && asked() === 2);
  fake.document = () => failure(404, 'not usable', { reason: 'denied' });
  await eventually('the policy denies it', async () => (await registry.resolve(approved)) === undefined);
  assert.equal(registry.get(approved).revision, 3);
});

test('an approved document works while the registry is unavailable', async (t) => {
  const { fake, registry } = await start(t);
  await fake.stop();
  await eventually('the registry is unavailable', () => registry.health().state === 'disconnected');
  assert.equal((await registry.resolve('https://approved.example.com/')).revision, 3);
});

test('what is kept is bounded', async (t) => {
  const { registry, asked } = await start(t);
  for (let i = 0; i < 1_010; i += 1) await registry.resolve(`${url}/${i}`);
  assert.equal(registry.health().documents.kept, 1_000);
  await registry.resolve(`${url}/1009`);
  assert.equal(asked(), 1_010);
});

/** Starts a provider. */
async function serve(t, registry, options) {
  const server = createServer((request, response) => callback(request, response));
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration(registry, settings));
  await install(registry, provider, options);
  const callback = provider.callback();
  const discovery = async () => (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  return { issuer, discovery };
}

test('discovery has what the registry says about registration', async (t) => {
  const endpoint = 'https://clientele.example.com/oauth/tenant_dev/register';
  const published = { registration_endpoint: endpoint, client_id_metadata_document_supported: true, grant_types_supported: [] };
  const cases = {
    'both': [{ documents: true }, { code: 0, data: published }, [endpoint, true]],
    'no clients by URL in the server': [{}, { code: 0, data: published }, [endpoint, undefined]],
    'switched off': [{ documents: true }, { code: 0, data: { client_id_metadata_document_supported: false } }, [undefined, undefined]],
    'a registry that is unavailable': [{ documents: true }, failure(500), [undefined, undefined]],
    'garbage': [{ documents: true }, 'garbage', [undefined, undefined]],
  };
  for (const [name, [options, response, expected]] of Object.entries(cases)) {
    await t.test(name, async (t) => {
      const { fake, registry } = await start(t, options);
      fake.metadata = () => response;
      const { discovery } = await serve(t, registry, { publishRegistration: true });
      for (let i = 0; i < 2; i += 1) {
        const found = await discovery();
        assert.deepEqual([found.registration_endpoint, found.client_id_metadata_document_supported], expected);
        assert.ok(found.grant_types_supported.length > 0, 'the rest is the provider\'s');
      }
      assert.equal(fake.asked('/authorization-server-metadata'), 1);
    });
  }
  await t.test('not asked for', async (t) => {
    const { fake, registry } = await start(t);
    fake.metadata = () => ({ code: 0, data: published });
    const { discovery } = await serve(t, registry);
    assert.equal((await discovery()).registration_endpoint, undefined);
  });
});

test('a client by URL that cannot be known gets a 503, and no redirect', async (t) => {
  const { fake, registry } = await start(t);
  const { issuer } = await serve(t, registry);
  fake.document = () => failure(500);
  const unavailable = await authorize(issuer, url, 'https://agent.example.com/callback', { scope: 'openid' });
  assert.equal(unavailable.status, 503);
  assert.match(unavailable.page, /temporarily_unavailable/);
  fake.document = () => rejected('denied');
  const unknown = await authorize(issuer, `${url}/denied`, 'https://agent.example.com/callback', { scope: 'openid' });
  assert.equal(unknown.status, 400);
  assert.match(unknown.page, /invalid_client/);
});
