// What an OpenID provider decides by itself. The keys and the store end with the process:
// use your own in production.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { MemoryAdapter } from './memory.js';

// KeyObject.export() can block forever for a key that was just generated (Node.js 20, if memory
// is collected at that moment), so the pair is generated as JWKs.
const asJWK = { publicKeyEncoding: { format: 'jwk' }, privateKeyEncoding: { format: 'jwk' } };
const jwk = (kid, type, options) => ({ kid, use: 'sig', ...generateKeyPairSync(type, { ...options, ...asJWK }).privateKey });

export const settings = {
  adapter: MemoryAdapter,
  jwks: { keys: [jwk('rsa', 'rsa', { modulusLength: 2048 }), jwk('ec', 'ec', { namedCurve: 'P-256' })] },
  cookies: { keys: [randomBytes(32).toString('base64url')] },
  scopes: ['openid', 'offline_access', 'profile', 'email', 'payments'],
  claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
  findAccount: (ctx, sub) => ({
    accountId: sub,
    claims: () => ({ sub, name: 'Alice', email: 'alice@example.com' }),
  }),
  pkce: { required: () => true },
  issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    resourceIndicators: { enabled: false },
    revocation: { enabled: true },
  },
  ttl: { Interaction: 3600, Session: 86_400, Grant: 86_400, IdToken: 3600, AccessToken: 3600, ClientCredentials: 600, RefreshToken: 86_400 },
};
