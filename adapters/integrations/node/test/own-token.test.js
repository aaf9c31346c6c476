// The registry trusts the server as the issuer of its token.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { openRegistry } from '@clientele/oidc-provider';
import { ownTokens } from '../example/own-token.js';
import { eventually, freePort, generateJWKs, temporaryDirectory } from './support.js';

test('a server signs its own token for the registry', async (t) => {
  const issuer = 'https://login.example.com';
  const pair = generateJWKs('rsa', { modulusLength: 2048 });
  const names = { kid: 'k1', alg: 'RS256', use: 'sig' };
  const directory = await temporaryDirectory(t);
  const keys = join(directory, 'jwks.json');
  await writeFile(keys, JSON.stringify({ keys: [{ ...pair.publicKey, ...names }] }));
  const url = `http://127.0.0.1:${await freePort()}`;
  const registry = spawn(process.env.CLIENTELE_BINARY, [
    'serve', '--listen', new URL(url).host, '--data', directory, '--issuer', issuer, '--issuer-keys', keys,
  ]);
  t.after(() => registry.kill('SIGKILL'));
  await eventually('the registry is ready', async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.ok);

  const token = ownTokens(issuer, { ...pair.privateKey, ...names }, 'tenant_a');
  const status = async (method, path, body) => {
    const headers = { authorization: `Bearer ${await token()}`, 'content-type': 'application/json' };
    return (await fetch(`${url}/admin/oauth${path}`, { method, headers, body })).status;
  };
  assert.equal(await status('GET', '/clients'), 200);
  assert.equal(await status('GET', '/changes'), 200);
  assert.equal(await status('POST', '/clients/app/verify-secret', '{"secret":"x"}'), 404);
  assert.equal(await status('PUT', '/clients/app', '{}'), 403);
  const opened = await openRegistry({ url, token });
  t.after(() => opened.close());
  assert.equal(opened.health().state, 'current');
});
