// Hashes of secrets that are read again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MissingVerifiers } from '../dist/verifiers.js';

test('hashes are still read after a client no longer lacks them', async () => {
  const lacking = new Set(['a', 'b']);
  const requested = [];
  const clients = {
    ids: () => ['a', 'b'], revision: () => 1, lacksVerifiers: (id) => lacking.has(id), setVerifiers: (id) => { lacking.delete(id); },
  };
  const transport = { closed: false, send: async (path) => { requested.push(path); return { data: { secret_verifiers: [] } }; } };
  const missing = new MissingVerifiers(transport, () => clients, () => {}, assert.fail);
  missing.find('a');
  lacking.delete('a'); // before it was read
  missing.read();
  await missing.idle();
  missing.find('b');
  missing.read();
  await missing.idle();
  assert.deepEqual(requested, ['/clients/b/secret-verifiers']);
  assert.equal(missing.size, 0);
});
