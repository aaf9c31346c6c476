// Verification of secrets: what is kept, what is asked again, and what cannot be known.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { test } from 'node:test';
import { join } from 'node:path';
import { RegistryUnavailableError, openRegistry } from '../dist/index.js';
import { FakeRegistry, change, client, failure, snapshot } from './fake.js';
import { TestRegistry, eventually, temporaryDirectory } from './support.js';

const valid = (seconds = 60) => ({ valid: true, max_age_seconds: seconds });
const invalid = { valid: false, max_age_seconds: 0 };
const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

async function start(t, options) {
  const fake = await FakeRegistry.start(t);
  fake.snapshot = () => snapshot(client('a'), client('b'));
  return { fake, registry: await fake.open(options), asked: () => fake.asked('verify-secret') };
}

test('a positive result is kept as long as the registry allows', async (t) => {
  const { fake, registry, asked } = await start(t);
  fake.verify = (secret) => (secret === 'right' ? valid(0.3) : invalid);
  assert.equal(await registry.verify('a', 'right'), true);
  assert.equal(await registry.verify('a', 'right'), true);
  assert.equal(asked(), 1);
  assert.equal(registry.health().verifications.kept, 1);
  await pause(350);
  assert.equal(await registry.verify('a', 'right'), true);
  assert.equal(asked(), 2);
  // It belongs to this client and this value.
  fake.verify = () => invalid;
  assert.equal(await registry.verify('b', 'right'), false);
  assert.equal(await registry.verify('a', 'wrong'), false);
});

test('a negative result is not kept', async (t) => {
  const { fake, registry, asked } = await start(t);
  assert.equal(await registry.verify('a', 'secret'), false);
  fake.verify = () => valid();
  assert.equal(await registry.verify('a', 'secret'), true);
  assert.equal(asked(), 2);
});

test('results end with a change of the client, and only of this one', async (t) => {
  for (const [name, item] of Object.entries({
    'an update': change('a', 2),
    'a change that the copy has already': change('a', 1),
    'the end of a secret': { client_id: 'a', revision: 1, action: 'expire_secret' },
  })) {
    await t.test(name, async (t) => {
      const { fake, registry, asked } = await start(t);
      fake.verify = () => valid();
      await registry.verify('a', 'secret');
      await registry.verify('b', 'secret');
      fake.change(item);
      fake.verify = () => invalid;
      await eventually('the result is dropped', () => registry.health().verifications.kept === 1);
      assert.equal(await registry.verify('a', 'secret'), false);
      assert.equal(await registry.verify('b', 'secret'), true);
      assert.equal(asked(), 3);
    });
  }
});

test('results end when all clients are read again', async (t) => {
  const { fake, registry } = await start(t);
  fake.verify = () => valid();
  await registry.verify('a', 'secret');
  fake.answer(failure(400, 'lost', { violations: [{ field: '?after' }] }));
  await eventually('they are dropped', () => registry.health().verifications.kept === 0);
});

test('a result on its way does not survive a change', async (t) => {
  const { fake, registry, asked } = await start(t);
  const waiting = [];
  fake.verify = () => new Promise((resolve) => { waiting.push(resolve); });
  const before = registry.verify('a', 'secret');
  await eventually('it is asked', () => waiting.length === 1);
  fake.change(change('a', 2));
  await eventually('the change is applied', () => registry.get('a').revision === 2);
  const after = registry.verify('a', 'secret');
  await eventually('who comes after the change asks again', () => waiting.length === 2);
  waiting[0](valid()); // it was right before the change
  await pause(50);
  assert.equal(registry.health().verifications.kept, 0);
  waiting[1](invalid);
  assert.equal(await after, false);
  assert.equal(await before, false, 'it was right before the change only');
  assert.equal(asked(), 2);
});

test('a client that is suspended while its secret is verified', async (t) => {
  const { fake, registry } = await start(t);
  let release;
  fake.verify = () => new Promise((resolve) => { release = () => resolve(valid()); });
  const result = registry.verify('a', 'secret');
  await eventually('it is asked', () => release);
  fake.change(change('a', 2, { status: 'suspended' }));
  await eventually('the change is applied', () => registry.get('a') === undefined);
  const first = release;
  first();
  await eventually('it is asked again', () => release !== first);
  release();
  assert.equal(await result, false);
});

test('the same value is asked for once at a time', async (t) => {
  const { fake, registry, asked } = await start(t);
  fake.verify = async () => {
    await pause(50);
    return valid();
  };
  const results = await Promise.all(Array.from({ length: 100 }, () => registry.verify('a', 'secret')));
  assert.ok(results.every((result) => result === true));
  assert.equal(asked(), 1);
});

test('many wrong values of one client do not flood the registry', async (t) => {
  const { fake, registry, asked } = await start(t);
  fake.verify = async () => {
    await pause(50);
    return invalid;
  };
  const results = await Promise.allSettled(Array.from({ length: 100 }, (_, i) => registry.verify('a', `secret ${i}`)));
  const unknown = results.filter(({ reason }) => reason instanceof RegistryUnavailableError);
  assert.ok(results.every(({ status, value }) => status === 'rejected' || value === false));
  assert.equal(unknown.length, 84);
  assert.equal(asked(), 16);
  assert.equal(registry.health().verifications.running, 0);
});

test('values that can be no secret are not sent', async (t) => {
  const { registry, asked } = await start(t);
  for (const value of ['', '\u0000', 'é', '\n', '\ud800', 'x'.repeat(513)]) assert.equal(await registry.verify('a', value), false);
  assert.equal(await registry.verify('nobody', 'secret'), false);
  assert.equal(asked(), 0);
});

test('a client that the registry deleted has no secret', async (t) => {
  const { fake, registry } = await start(t);
  fake.verify = () => failure(404, 'client not found');
  assert.equal(await registry.verify('a', 'secret'), false);
});

test('what is not a result is never a wrong secret', { concurrency: true }, async (t) => {
  const responses = {
    'a 404 of a proxy': [404, '<html>not found</html>'],
    'a 404 of another service': [404, { error: 'not found' }],
    '400': failure(400),
    '401': failure(401),
    '403': failure(403),
    '429': failure(429),
    '500': failure(500),
    '503': failure(503),
    'garbage': [200, 'garbage'],
    'nothing': [200, ''],
    'no data': [200, {}],
    'another type': [200, { data: { valid: 'true' } }],
    'a huge response': [200, 'x'.repeat(100_000)],
  };
  await Promise.all(Object.entries(responses).map(([name, response]) => t.test(name, async (t) => {
    const { fake, registry } = await start(t, { verifyTimeout: 0.5 });
    fake.verify = () => response;
    await assert.rejects(registry.verify('a', 'secret'), RegistryUnavailableError);
    assert.equal(registry.health().verifications.kept, 0);
  })));
});

test('a registry that does not respond', async (t) => {
  const { fake, registry } = await start(t, { verifyTimeout: 0.5 });
  fake.verify = () => new Promise(() => {});
  const began = performance.now();
  await assert.rejects(registry.verify('a', 'secret'), RegistryUnavailableError);
  assert.ok(performance.now() - began < 1_500);
  await fake.stop();
  await assert.rejects(registry.verify('a', 'secret'), RegistryUnavailableError);
});

test('a failure that may pass is tried again', async (t) => {
  const { fake, registry, asked } = await start(t);
  let responses = [failure(503), failure(500), valid()];
  fake.verify = () => responses.shift();
  assert.equal(await registry.verify('a', 'secret'), true);
  assert.equal(asked(), 3);

  responses = [failure(429, 'too many', {}, { 'retry-after': '1' }), valid()];
  const began = performance.now();
  assert.equal(await registry.verify('b', 'secret'), true);
  assert.ok(performance.now() - began > 950, 'Retry-After was not honoured');
});

test('a long Retry-After is passed on', async (t) => {
  const { fake, registry } = await start(t);
  fake.verify = () => failure(429, 'too many', {}, { 'retry-after': '30' });
  const began = performance.now();
  await assert.rejects(registry.verify('a', 'secret'), (error) => error.retryAfter === 30);
  assert.ok(performance.now() - began < 1_000);
});

const hashOf = (secret, more = {}) => ({ secret_id: secret, algorithm: 'sha-256', hash: createHash('sha256').update(secret).digest('hex'), ...more });
const future = () => new Date(Date.now() + 60_000).toISOString();

test('with the hashes of secrets the registry is asked only about values that match none', async (t) => {
  const fake = await FakeRegistry.start(t);
  const secrets = [hashOf('one', { expires_at: future() }), hashOf('two'), hashOf('past', { expires_at: '2020-01-01T00:00:00Z' }), hashOf('other', { algorithm: 'hmac-sha-256' })];
  fake.snapshot = () => snapshot(client('a', 1, { secret_verifiers: secrets }), client('b', 1, { secret_verifiers: [] }));
  const registry = await fake.open({ verifiers: true });
  assert.ok(fake.requests[0].url.includes('include=secret_verifiers'));
  assert.equal(registry.get('a').secret_verifiers, undefined);
  assert.equal(await registry.verify('a', 'one'), true);
  assert.equal(await registry.verify('a', 'two'), true);
  assert.equal(fake.asked('verify-secret'), 0);
  for (const [id, value] of [['a', 'past'], ['a', 'other'], ['a', 'wrong'], ['b', 'one']]) assert.equal(await registry.verify(id, value), false);
  assert.equal(fake.asked('verify-secret'), 4);
  await fake.stop();
  assert.equal(await registry.verify('a', 'two'), true);
  await assert.rejects(registry.verify('a', 'wrong'), RegistryUnavailableError);
});

test('hashes are read again after a change that can affect them', async (t) => {
  const fake = await FakeRegistry.start(t);
  fake.snapshot = () => snapshot(client('a', 1, { secret_verifiers: [hashOf('old')] }), client('keys', 1, { token_endpoint_auth_method: 'private_key_jwt' }));
  fake.verifiers = () => ({ data: { secret_verifiers: [hashOf('new')] } });
  const registry = await fake.open({ verifiers: true });
  fake.change(change('a', 2, { client_name: 'A' }));
  await eventually('the change is applied', () => registry.get('a').revision === 2);
  assert.equal(await registry.verify('a', 'old'), true);
  assert.equal(fake.asked('secret-verifiers'), 0);

  fake.change(change('a', 3, {}, 'rotate_secret'));
  await eventually('the change is applied', () => registry.get('a').revision === 3);
  assert.equal(await registry.verify('a', 'old'), false);
  await eventually('the hashes are read', () => registry.health().missingVerifiers === 0);
  const before = fake.asked('verify-secret');
  assert.equal(await registry.verify('a', 'new'), true);
  assert.equal(fake.asked('verify-secret'), before);
  assert.equal(fake.asked('secret-verifiers'), 1);

  // Methods end secrets, and so does a suspension for as long as it lasts.
  fake.verifiers = () => failure(500);
  fake.change(change('a', 4, { token_endpoint_auth_method: 'client_secret_post' }));
  await eventually('it fails', () => fake.messages.some((message) => message.includes('hashes of secrets cannot be read')));
  assert.equal(await registry.verify('a', 'new'), false);
  fake.verifiers = () => ({ data: { secret_verifiers: [hashOf('again')] } });
  fake.change(change('a', 5, { token_endpoint_auth_method: 'client_secret_post' }));
  await eventually('they are read', () => registry.health().missingVerifiers === 0);
  assert.equal(await registry.verify('a', 'again'), true);
});

test('hashes that were read before a change are not used after it', async (t) => {
  const fake = await FakeRegistry.start(t);
  const waiting = [];
  fake.verifiers = () => new Promise((resolve) => { waiting.push((secret) => resolve({ data: { secret_verifiers: [hashOf(secret)] } })); });
  const registry = await fake.open({ verifiers: true });
  await eventually('they are asked for', () => waiting.length === 1);
  fake.change(change('a', 2, {}, 'rotate_secret'));
  await eventually('the change is applied', () => registry.get('a').revision === 2);
  waiting[0]('old');
  await eventually('they are asked for again', () => waiting.length === 2);
  assert.equal(await registry.verify('a', 'old'), false);
  waiting[1]('new');
  await eventually('they are there', () => registry.health().missingVerifiers === 0);
  assert.equal(await registry.verify('a', 'new'), true);
});

test('hashes that are not what they should be', async (t) => {
  const fake = await FakeRegistry.start(t);
  for (const wrong of ['text', {}, [1], [hashOf('x', { hash: 'x' })], [hashOf('x', { hash: 7 })], [hashOf('x', { expires_at: 'never' })], [hashOf('x', { expires_at: 7 })], Array.from({ length: 17 }, () => hashOf('x'))]) {
    fake.snapshot = () => snapshot(client('a', 1, { secret_verifiers: wrong }));
    await assert.rejects(fake.open({ verifiers: true, startTimeout: 0.2 }), RegistryUnavailableError, JSON.stringify(wrong));
  }
});

test('secrets of the real registry work while it is unavailable, also after a restart', async (t) => {
  const real = await TestRegistry.start(t);
  const { client_secret: secret } = await real.create({ client_id: 'web', name: 'Web', grant_types: ['client_credentials'], scopes: ['payments'] });
  const file = join(await temporaryDirectory(t), 'mirror');
  const options = { url: real.url, token: await real.issue('clients:read clients:verify clients:verifiers'), file, verifiers: true, log: () => {} };
  const registry = await openRegistry(options);
  t.after(() => registry.close());
  const rotated = await real.rotate('web', 0);
  await eventually('the rotation is seen', async () => !await registry.verify('web', secret));
  await eventually('the hashes are read', () => registry.health().missingVerifiers === 0);
  await real.kill();
  assert.equal(await registry.verify('web', rotated), true);
  await assert.rejects(registry.verify('web', secret), RegistryUnavailableError);
  await registry.close();
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.ok(!(await readFile(file, 'utf8')).includes(rotated));

  const restarted = await openRegistry(options);
  t.after(() => restarted.close());
  assert.equal(await restarted.verify('web', rotated), true);
  // Without the option, hashes are not used, and do not stay in the file.
  await assert.rejects(openRegistry({ ...options, verifiers: false, startTimeout: 1 }), RegistryUnavailableError);
});
