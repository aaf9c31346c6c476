// The real registry, the example server, and a user with a browser.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash, createPrivateKey, generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const example = fileURLToPath(new URL('../example/server.js', import.meta.url));

export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

export async function temporaryDirectory(t) {
  const directory = await mkdtemp(join(tmpdir(), 'clientele-node-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Calls until the result is true, and returns the milliseconds that it took. */
export async function eventually(what, check, limit = 10_000) {
  const began = performance.now();
  for (;;) {
    if (await check()) return performance.now() - began;
    assert.ok(performance.now() - began < limit, `${what}: not within ${limit} ms`);
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
}

/** A program that runs until the test ends. */
class Program {
  output = '';

  constructor(t, command, args, env) {
    this.child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on('data', (data) => { this.output += data; });
    this.ended = new Promise((resolve) => {
      this.child.once('exit', resolve);
      this.child.once('error', resolve);
    });
    t.after(() => this.kill());
  }

  async kill(signal = 'SIGKILL') {
    this.child.kill(signal);
    await this.ended;
  }

  async ready(url) {
    await eventually(`${url} responds`, async () => {
      assert.equal(this.child.exitCode, null, this.output);
      return (await fetch(url).catch(() => undefined))?.ok;
    }, 30_000);
  }
}

let built;

/** Returns the path of the registry's program: CLIENTELE_BINARY, or else one that Go builds from this repository. */
function program() {
  built ??= process.env.CLIENTELE_BINARY || (async () => {
    const directory = await mkdtemp(join(tmpdir(), 'clientele-node-'));
    process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
    const binary = join(directory, 'clientele');
    await promisify(execFile)('go', ['build', '-o', binary, './cmd/clientele'], { cwd: fileURLToPath(new URL('../../../..', import.meta.url)) });
    return binary;
  })();
  return built;
}

/** The real registry. */
export class TestRegistry {
  /** Starts a registry. Flags that need its URL are a function of the registry. */
  static async start(t, flags = []) {
    const registry = new TestRegistry();
    registry.t = t;
    registry.binary = await program();
    registry.directory = await temporaryDirectory(t);
    registry.port = await freePort();
    registry.url = `http://127.0.0.1:${registry.port}`;
    registry.tokenFile = join(registry.directory, 'admin.token');
    registry.flags = typeof flags === 'function' ? flags(registry) : flags;
    await registry.run();
    return registry;
  }

  async run() {
    const args = ['serve', '--dev', '--listen', `127.0.0.1:${this.port}`, '--data', this.directory, ...this.flags];
    this.program = new Program(this.t, this.binary, args, {});
    await this.program.ready(`${this.url}/readyz`);
    this.token = (await readFile(this.tokenFile, 'utf8')).trim();
  }

  async kill() {
    await this.program.kill();
  }

  /** Issues a token with the scopes. */
  async issue(scope) {
    const { stdout } = await promisify(execFile)(this.binary, ['token', 'issue', '--data', this.directory, '--scope', scope]);
    return stdout.trim();
  }

  async call(method, path, body) {
    const response = await fetch(`${this.url}/admin/oauth${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text).data : undefined;
  }

  create(client) {
    return this.call('POST', '/clients', client);
  }

  update(id, change) {
    return this.call('PUT', `/clients/${encodeURIComponent(id)}`, change);
  }

  delete(id) {
    return this.call('DELETE', `/clients/${encodeURIComponent(id)}`);
  }

  restore(id) {
    return this.call('POST', `/clients/${encodeURIComponent(id)}/restore`);
  }

  async rotate(id, graceSeconds) {
    const { new_secret: secret } = await this.call('POST', `/clients/${encodeURIComponent(id)}/rotate-secret`, { grace_seconds: graceSeconds });
    return secret;
  }
}

/** The example server as a process of its own. */
export async function startServer(t, registry, { file, port } = {}) {
  const listen = `127.0.0.1:${port ?? await freePort()}`;
  const program = new Program(t, process.execPath, [example], {
    CLIENTELE_URL: registry.url, CLIENTELE_TOKEN_FILE: registry.tokenFile, LISTEN: listen, MIRROR_FILE: file ?? '',
  });
  const issuer = `http://${listen}`;
  await program.ready(`${issuer}/.well-known/openid-configuration`);
  return { issuer, program, health: async () => (await fetch(`${issuer}/health`)).json() };
}

const form = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value !== undefined));

export async function post(url, values, headers = {}) {
  const response = await fetch(url, { method: 'POST', body: form(values), headers, redirect: 'manual' });
  const text = await response.text();
  const json = response.headers.get('content-type')?.includes('json');
  return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text };
}

const basic = (id, secret) => ({ authorization: `Basic ${btoa(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`)}` });

export function clientCredentials(issuer, id, secret, scope = 'payments') {
  return post(`${issuer}/token`, { grant_type: 'client_credentials', scope }, basic(id, secret));
}

// KeyObject.export() can block forever for a key that was just generated (Node.js 20, if memory
// is collected at that moment), so pairs are generated as JWKs.
export function generateJWKs(type, options) {
  return generateKeyPairSync(type, { ...options, publicKeyEncoding: { format: 'jwk' }, privateKeyEncoding: { format: 'jwk' } });
}

export function keyPair(kid = randomUUID()) {
  const { publicKey, privateKey } = generateJWKs('ec', { namedCurve: 'P-256' });
  return { kid, privateKey: createPrivateKey({ key: privateKey, format: 'jwk' }), publicJWK: { ...publicKey, kid, use: 'sig', alg: 'ES256' } };
}

export function keyCredentials(issuer, id, key) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const input = `${encode({ alg: 'ES256', kid: key.kid })}.${encode({ iss: id, sub: id, aud: issuer, jti: randomUUID(), iat: now, exp: now + 60 })}`;
  const signature = sign('sha256', Buffer.from(input), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return post(`${issuer}/token`, {
    grant_type: 'client_credentials', scope: 'payments', client_assertion: `${input}.${signature.toString('base64url')}`,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  });
}

/** Sends an authorization request with PKCE, and logs in and consents like a user. See {@link visit}. */
export async function authorize(issuer, id, redirectURI, { scope = 'openid profile', challenge } = {}) {
  const verifier = randomBytes(32).toString('base64url');
  const query = {
    client_id: id, redirect_uri: redirectURI, response_type: 'code', scope, state: 'state',
    ...(challenge === false ? {} : { code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256' }),
  };
  return { ...await visit(new URL(`${issuer}/auth?${form(query)}`), redirectURI), verifier };
}

/** Opens a page, logs in and consents like a user, and returns the response that leads back to the client, or the page of an error. */
export async function visit(start, redirectURI) {
  const cookies = new Map();
  const pages = [];
  let url = start;
  let method = 'GET';
  let body;
  for (let step = 0; step < 20; step += 1) {
    const headers = { cookie: [...cookies].map((pair) => pair.join('=')).join('; ') };
    const response = await fetch(url, { method, body, headers, redirect: 'manual' });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      if (value) cookies.set(name, value);
      else cookies.delete(name);
    }
    const location = response.headers.get('location');
    const text = await response.text();
    if (location) {
      url = new URL(location, url);
      method = 'GET';
      body = undefined;
      if (url.href.startsWith(redirectURI)) return { status: response.status, code: url.searchParams.get('code'), error: url.searchParams.get('error'), pages };
    } else if (response.ok && text.includes('<form')) {
      method = 'POST';
      pages.push(text);
      body = form(text.includes('name="password"') ? { username: 'alice', password: 'password' } : {});
    } else {
      return { status: response.status, page: text, headers: response.headers };
    }
  }
  throw new Error('there is no end of redirects');
}

/** Runs the code flow to its end and returns the response of the token endpoint. */
export async function codeFlow(issuer, { id, secret, redirectURI, scope }) {
  const { code, verifier, ...rest } = await authorize(issuer, id, redirectURI, { scope });
  assert.ok(code, JSON.stringify(rest));
  return post(`${issuer}/token`, {
    grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: redirectURI, client_id: secret === undefined ? id : undefined,
  }, secret === undefined ? {} : basic(id, secret));
}

export function refresh(issuer, id, secret, token) {
  return post(`${issuer}/token`, { grant_type: 'refresh_token', refresh_token: token }, basic(id, secret));
}

export async function userinfo(issuer, token) {
  return (await fetch(`${issuer}/me`, { headers: { authorization: `Bearer ${token}` } })).status;
}
