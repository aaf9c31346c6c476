// The package as it is published, and the code in its README.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { TestRegistry, clientCredentials, eventually, freePort, temporaryDirectory } from './support.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));

test('npm pack takes only what is needed, and is reproducible', async (t) => {
  const directory = await temporaryDirectory(t);
  const pack = async () => {
    const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', directory], { cwd: root });
    return JSON.parse(stdout)[0];
  };
  const [first, second] = [await pack(), await pack()];
  assert.equal(first.integrity, second.integrity);
  for (const { path } of first.files) assert.match(path, /^(dist\/[a-z]+\.(js|d\.ts)|README\.md|LICENSE|package\.json)$/);
  assert.ok(first.files.some(({ path }) => path === 'dist/index.d.ts'));
  t.diagnostic(`${first.filename}: ${first.size} bytes, ${first.files.length} files`);
});

test('the package has the license of the project, and no dependencies', async () => {
  assert.equal(await readFile(new URL('../LICENSE', import.meta.url), 'utf8'), await readFile(new URL('../../../../LICENSE', import.meta.url), 'utf8'));
  const { dependencies, peerDependencies } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  assert.equal(dependencies, undefined);
  assert.deepEqual(Object.keys(peerDependencies), ['@types/oidc-provider', 'oidc-provider']);
});

test('the part of the example that connects it has at most 40 lines', async () => {
  const text = await readFile(new URL('../example/server.js', import.meta.url), 'utf8');
  const [, part] = /connect begin\n(.*)\/\/ connect end/s.exec(text);
  assert.ok(part.trim().split('\n').length <= 40);
});

test('the code in the README works', async (t) => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const [, code] = /```js\n(.*?)```/s.exec(readme);
  const port = await freePort();
  const registry = await TestRegistry.start(t);
  const { client_secret: secret } = await registry.create({ client_id: 'web', name: 'Web', grant_types: ['client_credentials'], scopes: ['payments'] });
  // In the package, so that its name is found.
  const directory = `${root}.readme-${process.pid}`;
  await mkdir(directory, { recursive: true });
  t.after(() => rm(directory, { recursive: true, force: true }));
  for (const file of ['settings.js', 'memory.js']) await copyFile(`${root}example/${file}`, `${directory}/${file}`);
  await writeFile(`${directory}/server.js`, code.replace('3000', String(port)).replace('/var/lib/op', directory));
  const issuer = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, [`${directory}/server.js`], {
    env: { ...process.env, CLIENTELE_URL: registry.url, CLIENTELE_TOKEN_FILE: registry.tokenFile, ISSUER: issuer }, stdio: ['ignore', 'ignore', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await eventually('the server responds', async () => (await fetch(`${issuer}/.well-known/openid-configuration`).catch(() => undefined))?.ok, 30_000);
  assert.equal((await clientCredentials(issuer, 'web', secret)).status, 200);
  assert.equal((await clientCredentials(issuer, 'web', 'wrong')).status, 401);
  await eventually('the file is written', async () => readFile(`${directory}/clients.ndjson`).catch(() => undefined));
});
