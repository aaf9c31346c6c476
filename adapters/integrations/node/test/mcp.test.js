// The MCP TypeScript SDK's client calls a tool of an MCP server that accepts tokens of
// oidc-provider. The client is known to the registry by its URL, or registers itself there.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { UnauthorizedError, auth } from '@modelcontextprotocol/sdk/client/auth.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import Provider from 'oidc-provider';
import { interactions } from '../example/interactions.js';
import { settings } from '../example/settings.js';
import { configuration, install, openRegistry } from '../dist/index.js';
import { localCertificate } from './certificate.js';
import { TestRegistry, eventually, temporaryDirectory, visit } from './support.js';

const redirectURI = 'http://127.0.0.1:33418/callback';
const scope = 'mcp';

/** Listens until the test ends, and returns the URL. */
async function listen(t, server, scheme = 'http') {
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `${scheme}://127.0.0.1:${server.address().port}`;
}

/** A web site with a client ID metadata document at /agent.json. */
async function startSite(t, certificate) {
  const site = { requests: 0 };
  const server = createSecureServer(certificate, (request, response) => {
    site.requests += 1;
    if (request.url !== '/agent.json') return response.writeHead(404).end();
    return response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'max-age=60' }).end(JSON.stringify(site.document));
  });
  site.url = `${await listen(t, server, 'https')}/agent.json`;
  site.document = {
    client_id: site.url, client_name: 'Agent of the site', redirect_uris: [redirectURI], grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'], token_endpoint_auth_method: 'none', scope,
  };
  return site;
}

const policy = {
  registration: { enabled: true, open: true, grants: ['authorization_code', 'refresh_token'], auth_methods: ['none'], scopes: [scope] },
  cimd: { mode: 'allow', hosts: ['127.0.0.1'] },
};

/** The real registry, which trusts the certificate of the site. */
async function startRegistry(t, certificate) {
  const directory = await temporaryDirectory(t);
  const [file, authority] = [join(directory, 'registration.json'), join(directory, 'authority.pem')];
  await writeFile(file, JSON.stringify({ tenants: { tenant_dev: policy } }));
  await writeFile(authority, certificate.cert);
  return TestRegistry.start(t, ({ url }) => ['--registration-file', file, '--public-url', url, '--key-ca-file', authority]);
}

/** oidc-provider with the clients of the registry. It issues tokens for the MCP server at resource(). */
async function startProvider(t, { url, tokenFile }, resource) {
  const registry = await openRegistry({ url, token: { file: tokenFile }, documents: true, log: (message) => t.diagnostic(message) });
  t.after(() => registry.close());
  const server = createServer((request, response) => (request.url.startsWith('/interaction/') ? pages : callback)(request, response));
  const issuer = await listen(t, server);
  const features = {
    ...settings.features,
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, indicator) => {
        assert.equal(indicator, resource());
        return { scope, audience: indicator, accessTokenFormat: 'jwt' };
      },
    },
  };
  const provider = new Provider(issuer, configuration(registry, { ...settings, features, scopes: [...settings.scopes, scope] }));
  provider.on('server_error', (ctx, error) => t.diagnostic(error.stack));
  await install(registry, provider, { publishRegistration: true });
  const [pages, callback] = [interactions(provider), provider.callback()];
  return { registry, issuer };
}

/** An MCP server with a tool that returns whose token it was called with (RFC 9728, RFC 8707). */
async function startMCP(t, issuer) {
  let resource;
  const verify = async (request) => {
    const [, token] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? [];
    if (!token) return undefined;
    const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(`${issuer()}/jwks`)), { issuer: issuer(), audience: resource, typ: 'at+jwt' });
    return { token, clientId: payload.client_id, scopes: payload.scope.split(' '), extra: { subject: payload.sub } };
  };
  const serve = async (request, response) => {
    if (request.url === '/.well-known/oauth-protected-resource/mcp') {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ resource, authorization_servers: [issuer()], scopes_supported: [scope] }));
      return;
    }
    request.auth = await verify(request).catch(() => undefined);
    if (!request.auth) {
      response.writeHead(401, { 'www-authenticate': `Bearer resource_metadata="${new URL('/.well-known/oauth-protected-resource/mcp', resource)}"` }).end();
      return;
    }
    const mcp = new McpServer({ name: 'test', version: '1.0.0' });
    mcp.registerTool('whoami', { description: 'Returns whose token it is' }, ({ authInfo }) => ({
      content: [{ type: 'text', text: JSON.stringify({ client: authInfo.clientId, scopes: authInfo.scopes, subject: authInfo.extra.subject }) }],
    }));
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    response.on('close', () => { void transport.close(); });
    await mcp.connect(transport);
    await transport.handleRequest(request, response);
  };
  const server = createServer((request, response) => {
    serve(request, response).catch((error) => {
      t.diagnostic(error.stack);
      response.destroy();
    });
  });
  resource = `${await listen(t, server)}/mcp`;
  return resource;
}

/** What an MCP client keeps, and how it opens the browser. */
class Credentials {
  redirectUrl = redirectURI;

  clientMetadata = {
    client_name: 'Agent', redirect_uris: [redirectURI], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], token_endpoint_auth_method: 'none',
  };

  constructor(clientMetadataUrl) {
    this.clientMetadataUrl = clientMetadataUrl;
  }

  clientInformation() { return this.information; }

  saveClientInformation(information) { this.information = information; }

  tokens() { return this.saved; }

  saveTokens(tokens) { this.saved = tokens; }

  redirectToAuthorization(url) { this.authorizationURL = url; }

  saveCodeVerifier(verifier) { this.verifier = verifier; }

  codeVerifier() { return this.verifier; }
}

/** Starts everything: a site, the registry, the authorization server and the MCP server. */
async function start(t) {
  const certificate = localCertificate();
  const site = await startSite(t, certificate);
  const real = await startRegistry(t, certificate);
  let issuer;
  const resource = await startMCP(t, () => issuer);
  const provider = await startProvider(t, real, () => resource);
  issuer = provider.issuer;
  return { site, real, resource, registry: provider.registry, issuer };
}

/** Connects like an MCP client, and returns what the tool says and the pages that the user saw. */
async function connect(t, { resource, registry }, credentials) {
  const client = () => new Client({ name: 'test', version: '1.0.0' });
  const transport = () => new StreamableHTTPClientTransport(new URL(resource), { authProvider: credentials });
  const first = transport();
  await assert.rejects(client().connect(first), UnauthorizedError);
  const id = credentials.information.client_id;
  await eventually('the authorization server knows the client', async () => await registry.resolve(id) !== undefined);
  const { code, pages, ...rest } = await visit(credentials.authorizationURL, redirectURI);
  assert.ok(code, JSON.stringify(rest));
  await first.finishAuth(code);
  const call = async () => {
    const connected = client();
    await connected.connect(transport());
    const { content: [{ text }] } = await connected.callTool({ name: 'whoami' });
    await connected.close();
    return JSON.parse(text);
  };
  const result = await call();

  // The refresh token works as well.
  const old = credentials.saved.access_token;
  assert.equal(await auth(credentials, { serverUrl: resource }), 'AUTHORIZED');
  assert.notEqual(credentials.saved.access_token, old);
  assert.deepEqual(await call(), result);
  return { id, result, pages };
}

test('an MCP client by the URL of its metadata document', async (t) => {
  const world = await start(t);
  const credentials = new Credentials(world.site.url);
  const { id, result, pages } = await connect(t, world, credentials);
  assert.equal(id, world.site.url);
  assert.deepEqual(result, { client: world.site.url, scopes: [scope], subject: 'alice' });
  assert.match(pages.at(-1), /Agent of the site asks for: mcp/);
  assert.match(pages.at(-1), new RegExp(`Its address is ${new URL(world.site.url).host}, and it continues at 127.0.0.1:33418`));
  assert.equal(world.site.requests, 1, 'the document was fetched once');
  assert.equal(world.registry.get(id), undefined, 'the registry stores no client');
  await assert.rejects(world.real.call('GET', `/clients/${encodeURIComponent(id)}`), /404 .*not found/);
});

test('an MCP client that registers itself (RFC 7591)', async (t) => {
  const world = await start(t);
  const credentials = new Credentials();
  const { id, result } = await connect(t, world, credentials);
  assert.deepEqual(result, { client: id, scopes: [scope], subject: 'alice' });
  assert.equal(credentials.information.client_name, 'Agent');
  assert.equal(credentials.information.client_secret, undefined);
  const stored = await world.real.call('GET', `/clients/${id}`);
  assert.deepEqual([stored.name, stored.redirect_uris, stored.status], ['Agent', [redirectURI], 'active']);
  // The registry decides: a suspended client gets no token any more.
  await world.real.update(id, { status: 'suspended' });
  await eventually('it is suspended', () => world.registry.get(id) === undefined);
  await assert.rejects(auth(credentials, { serverUrl: world.resource }));
});

test('an approved document works as it was approved, without its site and without the registry', async (t) => {
  const world = await start(t);
  const { site, real, registry } = world;
  const read = () => real.call('GET', `/client-metadata?client_id=${encodeURIComponent(site.url)}`);
  const { document: { digest } } = await read();
  await real.call('POST', '/client-metadata/approvals', { client_id: site.url, digest });
  await eventually('it is in the copy', () => registry.get(site.url) !== undefined);
  const { revision } = registry.get(site.url);
  assert.equal((await real.call('GET', `/clients/${encodeURIComponent(site.url)}`)).name, 'Agent of the site');

  // The registry forgets what it fetched, and notices the change because the server resolves the client.
  await real.kill();
  site.document.redirect_uris = ['http://127.0.0.1:33418/elsewhere'];
  await real.run();
  const { result } = await connect(t, world, new Credentials(site.url));
  assert.equal(result.client, site.url);
  await eventually('the change is in the feed', () => registry.get(site.url).revision === revision + 1);
  assert.deepEqual(registry.get(site.url).redirect_uris, [redirectURI]);
  assert.deepEqual((await read()).document.pending.changed, ['redirect_uris']);

  await real.kill();
  await eventually('the registry is unavailable', () => registry.health().state === 'disconnected');
  assert.equal((await registry.resolve(site.url)).client_id, site.url);
});

test('the policy of the registry decides which documents are admitted', async (t) => {
  const { site, registry } = await start(t);
  assert.equal(await registry.resolve(site.url.replace('127.0.0.1', 'localhost')), undefined, 'a host that is not listed');
  assert.equal(await registry.resolve(`${site.url}/other`), undefined, 'no document');
  site.document.client_id = `${site.url}/other`;
  assert.equal(await registry.resolve(site.url), undefined, 'the document of another client');
});
