// An OpenID provider with the clients of a registry. It is configured by the environment:
// CLIENTELE_URL, CLIENTELE_TOKEN_FILE, LISTEN (for example 127.0.0.1:3000) and, optionally,
// MIRROR_FILE.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';
import { interactions } from './interactions.js';
import { settings } from './settings.js';

const { CLIENTELE_URL, CLIENTELE_TOKEN_FILE, LISTEN = '127.0.0.1:3000', MIRROR_FILE } = process.env;
const issuer = `http://${LISTEN}`;

// connect begin
import { configuration, install, openRegistry } from '@clientele/oidc-provider';

const registry = await openRegistry({
  url: CLIENTELE_URL,
  token: { file: CLIENTELE_TOKEN_FILE },
  file: MIRROR_FILE || undefined,
  documents: true, // clients by URL, if the policy of the registry admits them
});
const provider = new Provider(issuer, configuration(registry, settings));
await install(registry, provider, { publishRegistration: true });
// connect end

provider.on('server_error', (ctx, error) => console.error('server_error', error));

const serveInteraction = interactions(provider);
const serveProvider = provider.callback();
const server = createServer((request, response) => {
  if (request.url.startsWith('/interaction/')) {
    serveInteraction(request, response);
  } else if (request.url === '/health') {
    const health = registry.health();
    response.writeHead(health.state === 'stale' ? 503 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(health));
  } else {
    serveProvider(request, response);
  }
});
const { hostname, port } = new URL(issuer);
server.listen(Number(port), hostname, () => console.log(`listening at ${issuer}`));

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    server.close();
    server.closeAllConnections();
    await registry.close();
    process.exit(0);
  });
}
