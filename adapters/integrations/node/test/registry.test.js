// The copy of the clients, with registries that do not behave.
import assert from 'node:assert/strict';
import { chmod, readFile, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { join } from 'node:path';
import { RegistryUnavailableError, StaleError, openRegistry } from '../dist/index.js';
import { lines } from '../dist/snapshot.js';
import { FakeRegistry, change, client, failure, snapshot } from './fake.js';
import { eventually, temporaryDirectory } from './support.js';

const complete = snapshot(client('a'), client('b'));

test('a snapshot that is not complete and right is not used', { concurrency: true }, async (t) => {
  const cases = {
    'nothing': '',
    'garbage': 'garbage\n',
    'binary garbage': '\u0000\u0001\n',
    'a page of a proxy': '<html></html>',
    'an array': '[]\n',
    'no cursor': complete.slice(complete.indexOf('\n') + 1),
    'half of it': complete.slice(0, complete.length / 2),
    'no last line': complete.slice(0, complete.indexOf('{"clients"')),
    'no last line break': complete.slice(0, -1),
    'a wrong number': complete.replace('"clients":2', '"clients":3'),
    'a client twice': snapshot(client('a'), client('a')),
    'a client without a revision': snapshot(client('a', undefined), { ...client('b'), revision: undefined }),
    'a client with a number as its name': snapshot({ ...client('a'), client_id: 7 }),
    'more behind the last line': `${complete}{}\n`,
    'an unknown line': complete.replace('{"clients"', '{"other":1}\n{"clients"'),
    'a huge line': snapshot(client('a', 1, { description: 'x'.repeat(5_000_000) })),
    'too many clients': snapshot(...Array.from({ length: 11 }, (_, i) => client(`c${i}`))),
    'too many bytes': snapshot(...[1, 2, 3].map((i) => client(`c${i}`, 1, { description: 'x'.repeat(400_000) }))),
    'a redirect': [302, '', { location: '/elsewhere' }],
    'an error': failure(500),
    'a wrong token': failure(401, 'the token is not valid'),
  };
  await Promise.all(Object.entries(cases).map(([name, response]) => t.test(name, async (t) => {
    const fake = await FakeRegistry.start(t);
    const bounds = { maxClients: 10, maxBytes: 1_000_000 };
    fake.snapshot = () => response;
    await assert.rejects(fake.open({ ...bounds, startTimeout: 0.5 }), RegistryUnavailableError);

    fake.snapshot = () => complete;
    const registry = await fake.open(bounds);
    fake.snapshot = () => response;
    fake.answer(failure(400, 'lost', { violations: [{ field: '?after' }] }));
    await eventually('the error is reported', () => registry.health().error !== undefined);
    assert.equal(registry.get('b').revision, 1);
    assert.equal(registry.health().state, 'disconnected');
  })));
});

test('lines come out whole, whatever the chunks, and are not kept if they are too long', async () => {
  const split = async (text, size, limit) => {
    const parts = async function* parts() {
      for (let i = 0; i < text.length; i += size) yield Buffer.from(text.slice(i, i + size));
    };
    const result = [];
    for await (const line of lines(parts(), limit)) result.push(line.toString());
    return result;
  };
  for (const size of [1, 2, 3, 5, 100]) assert.deepEqual(await split('ab\n\ncdef\n', size, 4), ['ab', '', 'cdef']);
  await assert.rejects(split('ab\ncdefg\n', 3, 4), /longer than 4 bytes/);
  await assert.rejects(split('ab\ncd', 3, 4), /incomplete/);
});

test('a connection that breaks off in a snapshot', async (t) => {
  const fake = await FakeRegistry.start(t);
  fake.snapshot = (response) => {
    response.writeHead(200, { 'content-length': complete.length });
    response.write(complete.slice(0, -20), () => response.destroy());
  };
  await assert.rejects(fake.open({ startTimeout: 1 }), /broke off/);
});

test('names of JavaScript are names of clients like others', async (t) => {
  const fake = await FakeRegistry.start(t);
  fake.snapshot = () => snapshot(client('__proto__'), client('constructor'));
  const registry = await fake.open();
  assert.equal(registry.get('__proto__').client_id, '__proto__');
  assert.equal(registry.get('toString'), undefined);
  registry.get('constructor').grant_types.push('changed');
  assert.deepEqual(registry.get('constructor').grant_types, ['client_credentials']);
});

test('changes', async (t) => {
  const fake = await FakeRegistry.start(t);
  fake.snapshot = () => snapshot(client('a', 5), client('b', 1), client('c', 1, { status: 'suspended' }));
  const registry = await fake.open();
  const seen = [];
  registry.on('change', ({ clientId, action, revision }) => seen.push(`${action} ${clientId} ${revision}`));
  registry.on('change', () => { throw new Error('a listener that fails'); });
  assert.equal(registry.get('c'), undefined);
  assert.equal(registry.health().state, 'current');

  fake.change(
    change('a', 4, { client_name: 'old' }), change('a', 5, { client_name: 'same' }), change('a', 6, { client_name: 'new' }),
    change('b', 2, { deleted_at: '2026-01-01T00:00:00Z' }, 'delete'), change('c', 2), change('d', 1, {}, 'create'),
    { client_id: 'e', revision: 3, action: 'purge' },
  );
  await eventually('the last one is applied', () => registry.get('d'));
  assert.equal(registry.get('a').client_name, 'new');
  assert.equal(registry.get('b'), undefined);
  assert.equal(registry.get('c').revision, 2);
  assert.deepEqual(seen, ['update a 6', 'delete b 2', 'update c 2', 'create d 1']);
  assert.equal(registry.health().clients, 3);

  fake.change(change('a', 7, { status: 'suspended' }), change('b', 3, {}, 'restore'));
  await eventually('the client is restored', () => registry.get('b'));
  assert.equal(registry.get('a'), undefined);
});

test('a feed that breaks the contract is followed by a snapshot', { concurrency: true }, async (t) => {
  const wrong = {
    'garbage': 'garbage',
    'no changes': { data: {} },
    'no cursor': { data: { changes: [] } },
    'a change without a client_id': { data: { changes: [{}], next: 'c9' } },
    'another client in a change': { data: { changes: [{ ...change('a', 2), client_id: 'b' }], next: 'c9' } },
    'a client without a status': { data: { changes: [change('a', 2, { status: undefined })], next: 'c9' } },
    'a damaged record': { data: { changes: [{ client_id: 'a', revision: 2, action: 'update', unreadable: true }], next: 'c9' } },
    'a cursor of another history': failure(400, 'unknown cursor', { violations: [{ field: '?after' }] }),
  };
  await Promise.all(Object.entries(wrong).map(([name, response]) => t.test(name, async (t) => {
    const fake = await FakeRegistry.start(t);
    const registry = await fake.open();
    fake.snapshot = () => snapshot(client('a', 1, { client_name: 'after' }), client('new'));
    fake.answer(response);
    await eventually('the snapshot is read', () => registry.get('new'));
    // Revisions of another history are not compared.
    assert.equal(registry.get('a').client_name, 'after');
    assert.equal(registry.health().state, 'current');
  })));
});

test('a damaged record is neither served nor unknown', async (t) => {
  const fake = await FakeRegistry.start(t);
  fake.snapshot = () => snapshot(client('a')).replace('{"clients"', '{"unreadable":["broken"]}\n{"clients"');
  const file = join(await temporaryDirectory(t), 'mirror');
  const registry = await fake.open({ file });
  assert.throws(() => registry.get('broken'), RegistryUnavailableError);
  assert.deepEqual(registry.health().unreadable, ['broken']);
  await registry.close();
  await fake.stop();
  const again = await fake.open({ file });
  assert.throws(() => again.get('broken'), RegistryUnavailableError);
  await fake.listen(fake.port);
  fake.change(change('broken', 2));
  await eventually('it is repaired', () => again.health().unreadableCount === 0);
  assert.equal(again.get('broken').revision, 2);
});

test('a registry that responds at once to everything is not asked without a pause', async (t) => {
  const fake = await FakeRegistry.start(t);
  const registry = await fake.open();
  const nothing = () => ({ data: { changes: [], next: 'c0' } });
  fake.answer(...Array.from({ length: 1000 }, nothing));
  const before = fake.asked('/changes');
  await new Promise((resolve) => { setTimeout(resolve, 600); });
  assert.ok(fake.asked('/changes') - before <= 5, `${fake.asked('/changes') - before} requests`);
  assert.equal(registry.health().state, 'current');
});

test('a registry that forgets each cursor is not read without a pause', async (t) => {
  const fake = await FakeRegistry.start(t);
  const registry = await fake.open();
  const lost = () => failure(400, 'lost', { violations: [{ field: '?after' }] });
  fake.answer(...Array.from({ length: 1000 }, lost));
  await eventually('the error is reported', () => registry.health().error !== undefined);
  const before = fake.asked('/snapshot');
  await new Promise((resolve) => { setTimeout(resolve, 600); });
  assert.ok(fake.asked('/snapshot') - before <= 5, `${fake.asked('/snapshot') - before} snapshots`);
});

test('the file', async (t) => {
  const fake = await FakeRegistry.start(t);
  fake.snapshot = () => snapshot(client('a'), client('b', 1, { status: 'suspended' }));
  fake.verify = () => ({ valid: true, max_age_seconds: 60 });
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'mirror');
  let registry = await fake.open({ file });
  assert.equal(await registry.verify('a', 'the-secret'), true);
  fake.change(change('c', 1));
  await eventually('the change is applied', () => registry.get('c'));
  await registry.close();
  const text = await readFile(file, 'utf8');
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(directory), ['mirror']);
  assert.doesNotMatch(text, /the-secret|token"/);

  await t.test('starts a server without the registry', async () => {
    await fake.stop();
    registry = await fake.open({ file });
    assert.equal(registry.get('a').revision, 1);
    assert.equal(registry.get('b'), undefined);
    assert.equal(registry.get('c').revision, 1);
    assert.equal(registry.health().state, 'disconnected');
    await fake.listen(fake.port);
  });

  await t.test('has what changed since before the server starts', async () => {
    fake.change(change('a', 2, { status: 'suspended' }));
    registry = await fake.open({ file });
    assert.equal(registry.get('a'), undefined);
    assert.equal(fake.asked('/snapshot'), 1);
  });

  await t.test('is written again if others can read it', async () => {
    await chmod(file, 0o644);
    fake.change(change('d', 1));
    await eventually('it is written', async () => (await stat(file)).mode.toString(8).endsWith('600'));
  });

  await t.test('is not used for another tenant', async () => {
    await fake.stop();
    await assert.rejects(fake.open({ file, tenant: 'other', startTimeout: 1 }), RegistryUnavailableError);
    assert.match(fake.messages.join(), /another registry or tenant/);
    await fake.listen(fake.port);
  });

  for (const [name, content] of Object.entries({
    'empty': '', 'garbage': 'garbage', 'half': text.slice(0, text.length / 2), 'without its last line': text.slice(0, text.lastIndexOf('{')), 'of another kind': '{"a":1}\n{"clients":0}\n',
  })) {
    await t.test(`is read from the registry again if it is ${name}`, async () => {
      await writeFile(file, content);
      registry = await fake.open({ file });
      assert.match(registry.health().fileError, /cannot be read/);
      assert.ok(registry.get('a') === undefined && registry.get('c'));
      await eventually('it is whole again', () => registry.health().fileError === undefined);
      await registry.close();
    });
  }

  await t.test('may be missing its directory', async () => {
    registry = await fake.open({ file: join(directory, 'none', 'mirror') });
    await eventually('it is reported', () => registry.health().fileError);
    assert.ok(registry.get('c'));
  });

  await t.test('leaves nothing behind when the process is killed', async () => {
    const abandoned = `${file}.0123456789ab.tmp`;
    await writeFile(abandoned, '');
    await utimes(abandoned, new Date(0), new Date(0));
    registry = await fake.open({ file });
    assert.deepEqual(await readdir(directory), ['mirror']);
  });
});

test('a copy that is too old is not used', async (t) => {
  const fake = await FakeRegistry.start(t);
  const file = join(await temporaryDirectory(t), 'mirror');
  const registry = await fake.open({ maxStaleness: 3, file });
  // Waiting for changes does not make it old.
  await new Promise((resolve) => { setTimeout(resolve, 3_500); });
  assert.equal(registry.health().state, 'current');
  assert.ok(registry.get('a'));
  await fake.stop();
  const took = await eventually('it is stale', () => registry.health().state === 'stale');
  assert.ok(took > 1_900, `${took} ms`);
  assert.throws(() => registry.get('a'), StaleError);
  await assert.rejects(registry.verify('a', 'secret'), StaleError);
  await registry.close();

  const restarted = await fake.open({ maxStaleness: 3, file });
  assert.throws(() => restarted.get('a'), StaleError);
  const patient = await fake.open({ maxStaleness: -1, file });
  assert.ok(patient.get('a'));

  await fake.listen(fake.port);
  await eventually('it is used again', () => restarted.health().state === 'current');
  assert.ok(restarted.get('a'));
});

test('changes that the registry holds back make the copy older', async (t) => {
  const fake = await FakeRegistry.start(t);
  const registry = await fake.open({ maxStaleness: 3 });
  fake.answer({ data: { changes: [], next: 'c0', held_back_seconds: 100 } });
  await eventually('it is stale', () => registry.health().state === 'stale');
  assert.ok(registry.health().age >= 100);
});

test('the token', async (t) => {
  const fake = await FakeRegistry.start(t);
  let valid = 'first';
  fake.authorize = (header) => (header === `Bearer ${valid}` ? undefined : failure(401, 'the token has expired'));
  fake.verify = () => ({ valid: true, max_age_seconds: 0 });

  await t.test('of a file is read again', async (t) => {
    const file = join(await temporaryDirectory(t), 'token');
    await writeFile(file, 'first\n');
    const registry = await fake.open({ token: { file } });
    assert.equal(await registry.verify('a', 'secret'), true);
    valid = 'second';
    await assert.rejects(registry.verify('a', 'secret'), /401: the token has expired/);
    await writeFile(file, 'second\n');
    assert.equal(await registry.verify('a', 'secret'), true);
    await writeFile(file, '');
    await assert.rejects(registry.verify('a', 'secret'), /is empty/);
  });

  await t.test('of a function is asked for again if it is rejected', async () => {
    valid = 'third';
    const rejected = [];
    const registry = await fake.open({ token: async (token) => {
      if (token === undefined) return 'old';
      rejected.push(token);
      return 'third';
    } });
    assert.equal(await registry.verify('a', 'secret'), true);
    assert.equal(rejected[0], 'old');
  });

  await t.test('goes to no other host', async () => {
    fake.snapshot = () => [307, '', { location: 'http://localhost:1/' }];
    await assert.rejects(fake.open({ token: 'third', startTimeout: 1 }), RegistryUnavailableError);
  });
});

test('options', async () => {
  const base = { url: 'http://127.0.0.1:1', token: 'token' };
  for (const wrong of [{ url: 'registry' }, { url: 'ftp://host' }, { url: 'http://user:password@host' }, { maxStaleness: 1 }, { maxStaleness: Number.NaN }, { maxClients: 0 }, { maxBytes: -1 }, { verifyTimeout: 'x' }, { startTimeout: 0 }]) {
    await assert.rejects(openRegistry({ ...base, ...wrong }), TypeError, JSON.stringify(wrong));
  }
});

test('closing ends everything', async (t) => {
  const fake = await FakeRegistry.start(t);
  const registry = await fake.open();
  await Promise.all([registry.close(), registry.close()]);
  assert.equal(registry.health().state, 'closed');
  assert.throws(() => registry.get('a'), RegistryUnavailableError);
  await assert.rejects(registry.verify('a', 'secret'), RegistryUnavailableError);
  const before = fake.requests.length + 1; // one may be on its way
  await new Promise((resolve) => { setTimeout(resolve, 300); });
  assert.ok(fake.requests.length <= before);
});
