// Validates client metadata with the client schema of node-oidc-provider. It reads a JSON
// array of documents from standard input and writes a JSON array with, for each of them,
// the reason why it is rejected, or null.
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeSync } from 'node:fs';
import Provider from 'oidc-provider';

const signing = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'Ed25519', 'EdDSA'];
const keys = ['RSA-OAEP', 'RSA-OAEP-256', 'ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A256KW'];
const content = ['A128CBC-HS256', 'A128GCM', 'A192CBC-HS384', 'A192GCM', 'A256CBC-HS512', 'A256GCM'];
const algorithms = {};
for (const kind of ['idToken', 'requestObject', 'userinfo', 'introspection', 'authorization']) {
  algorithms[`${kind}SigningAlgValues`] = signing;
  algorithms[`${kind}EncryptionAlgValues`] = keys;
  algorithms[`${kind}EncryptionEncValues`] = content;
}

// The provider supports only the algorithms that its keys are for.
// KeyObject.export() can block forever for a key that was just generated (Node.js 20, if memory
// is collected at that moment), so the pair is generated as JWKs.
const asJWK = { publicKeyEncoding: { format: 'jwk' }, privateKeyEncoding: { format: 'jwk' } };
const jwk = (use, kid, type, options) => ({ use, kid, ...generateKeyPairSync(type, { ...options, ...asJWK }).privateKey });
const rsa = { modulusLength: 2048 };
const jwks = {
  keys: [
    jwk('sig', '1', 'rsa', rsa), jwk('sig', '2', 'ec', { namedCurve: 'P-256' }), jwk('sig', '3', 'ed25519'),
    jwk('enc', '4', 'rsa', rsa), jwk('enc', '5', 'ec', { namedCurve: 'P-256' }),
  ],
};

const provider = new Provider('https://op.example.com', {
  jwks,
  scopes: ['openid', 'offline_access', 'profile', 'email', 'reports'],
  acrValues: ['urn:example:acr:1', 'urn:example:acr:2'],
  subjectTypes: ['public', 'pairwise'],
  pairwiseIdentifier: (ctx, accountId, client) => `${client.clientId} ${accountId}`,
  responseTypes: ['code', 'id_token', 'id_token token', 'code id_token', 'code token', 'code id_token token', 'none'],
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth', 'none'],
  enabledJWA: { clientAuthSigningAlgValues: signing, dPoPSigningAlgValues: signing, ...algorithms },
  features: {
    backchannelLogout: { enabled: true },
    ciba: {
      enabled: true,
      deliveryModes: ['poll', 'ping'],
      processLoginHint: () => undefined,
      processLoginHintToken: () => undefined,
      triggerAuthenticationDevice: () => undefined,
      validateBindingMessage: () => undefined,
      validateRequestContext: () => undefined,
      verifyUserCode: () => undefined,
    },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    dPoP: { enabled: true },
    encryption: { enabled: true },
    introspection: { enabled: true },
    jwtIntrospection: { enabled: true },
    jwtResponseModes: { enabled: true },
    jwtUserinfo: { enabled: true },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      selfSignedTlsClientAuth: true,
      tlsClientAuth: true,
      getCertificate: () => undefined,
      certificateAuthorized: () => false,
      certificateSubjectMatches: () => false,
    },
    pushedAuthorizationRequests: { enabled: true, allowUnregisteredRedirectUris: true },
    requestObjects: { enabled: true },
    richAuthorizationRequests: {
      enabled: true,
      types: { payment_initiation: { validate: () => undefined } },
      authorizationDetailsForGrantSource: () => undefined,
      authorizationDetailsForAccessToken: () => undefined,
      authorizationDetailsForIntrospection: () => undefined,
    },
    rpInitiatedLogout: { enabled: true },
  },
});
for (const grant of ['token-exchange', 'jwt-bearer', 'saml2-bearer']) {
  provider.registerGrantType(`urn:ietf:params:oauth:grant-type:${grant}`, () => undefined);
}

const results = [];
for (const document of JSON.parse(readFileSync(0, 'utf8'))) {
  try {
    await provider.Client.validate(document);
    results.push(null);
  } catch (error) {
    results.push(error.error_description ?? String(error));
  }
}
const text = JSON.stringify(results);
for (let sent = 0; sent < text.length;) sent += writeSync(1, text.slice(sent, sent + 4096));
