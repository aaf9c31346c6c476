// Access tokens for the registry that the server signs itself, if the registry trusts it as
// their issuer: clientele serve --issuer ISSUER --issuer-keys JWKS
import { SignJWT, importJWK } from 'jose';

// ownTokens returns a function that returns a token for the tenant. The key is one of the
// server's private keys, as a JWK with kid and alg.
export function ownTokens(issuer, key, tenant) {
  let token;
  let renewAt = 0;
  return async () => {
    if (Date.now() < renewAt) return token;
    token = await new SignJWT({ tenant_id: tenant, scope: 'clients:read clients:verify' })
      .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'at+jwt' })
      .setIssuer(issuer)
      .setSubject('authorization-server')
      .setAudience('clientele')
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(await importJWK(key, key.alg));
    renewAt = Date.now() + 240_000;
    return token;
  };
}
