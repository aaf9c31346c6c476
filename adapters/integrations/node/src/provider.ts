import { createHmac, randomBytes } from 'node:crypto';
import type { Adapter, AdapterConstructor, AdapterFactory, Client, Configuration, KoaContextWithOIDC, default as Provider } from 'oidc-provider';
import type { ClientMetadata } from './clients.js';
import { RegistryUnavailableError, StaleError, describe } from './errors.js';
import type { Registry } from './registry.js';

/** Fields of a client that oidc-provider does not know. They are properties of its clients under these names. */
export const extraClientMetadata = [
  'access_token_lifetime', 'client_auth_methods', 'cors_origins', 'description', 'fapi_profile', 'frontchannel_logout_session_required',
  'frontchannel_logout_uri', 'id_token_lifetime', 'is_confidential', 'labels', 'owner', 'refresh_token_lifetime', 'refresh_token_rotation',
  'request_uris', 'require_pkce', 'resources', 'revision', 'skip_consent', 'software_id', 'software_version', 'tenant_id',
] as const;

/** Options of {@link clienteleAdapter} and {@link configuration}. */
export interface AdapterOptions {
  /**
   * Seconds after which keys of a `jwks_uri` are fetched again. Default: 60. Without it
   * oidc-provider would accept a key that was removed for as long as the URL's response
   * allows, and beyond until a client uses another key.
   */
  readonly jwksUriMaxAge?: number;
}

/** The response of oidc-provider while the registry is unavailable: 503, and never a redirect. */
class TemporarilyUnavailable extends Error {
  override name = 'TemporarilyUnavailable';

  readonly status = 503;

  readonly statusCode = 503;

  readonly expose = true;

  readonly allow_redirect = false;

  readonly error = 'temporarily_unavailable';

  readonly error_description = 'the client cannot be verified at the moment; try again';

  readonly error_detail: string;

  constructor(cause: RegistryUnavailableError) {
    super('temporarily_unavailable', { cause });
    this.error_detail = describe(cause);
  }
}

/** The key of placeholders. It never leaves the process, and ends with it. */
const placeholderKey = randomBytes(32);

/** oidc-provider wants a secret of clients that use one. It has this one, which no one can send. */
function placeholder(id: string): string {
  return createHmac('sha256', placeholderKey).update(id).digest('base64url');
}

/** A client that would need the value of its secret. oidc-provider has errors of this form for the rest. */
class InvalidClientMetadata extends Error {
  override name = 'InvalidClientMetadata';

  readonly status = 400;

  readonly statusCode = 400;

  readonly expose = true;

  readonly allow_redirect = false;

  readonly error = 'invalid_client_metadata';

  constructor(readonly error_description: string) {
    super('invalid_client_metadata');
  }
}

/** The class of the provider, which has the request that is being served. */
type RequestContext = { readonly ctx?: KoaContextWithOIDC | undefined };

const installed = new WeakMap<Registry, RequestContext>();

/** Turns an outage into the response to it. */
function asResponse(registry: Registry, error: unknown): unknown {
  if (!(error instanceof RegistryUnavailableError)) return error;
  const seconds = error.retryAfter ?? (error instanceof StaleError ? 5 : 1);
  installed.get(registry)?.ctx?.set('Retry-After', String(Math.max(1, Math.ceil(seconds))));
  return new TemporarilyUnavailable(error);
}

const signing = /^HS/;
const encryption = /^(?:A\d|dir$)/;

/** Fails for a client whose secret would be the key of a signature or an encryption. */
function rejectSymmetric(client: ClientMetadata): void {
  if (client.token_endpoint_auth_method === 'client_secret_jwt') {
    throw new InvalidClientMetadata('token_endpoint_auth_method client_secret_jwt needs the value of the secret, and the registry has only its hash');
  }
  for (const [field, value] of Object.entries(client)) {
    if (typeof value !== 'string' || !/_alg$/.test(field)) continue;
    if (signing.test(value) || (/encrypt/.test(field) && encryption.test(value))) {
      throw new InvalidClientMetadata(`${field} ${value} needs the value of the secret, and the registry has only its hash`);
    }
  }
}

/** Returns the client as oidc-provider wants it. */
function forProvider(client: ClientMetadata, jwksUriMaxAge: number): Record<string, unknown> {
  rejectSymmetric(client);
  const metadata: Record<string, unknown> = { ...client };
  if (/^client_secret_/.test(client.token_endpoint_auth_method ?? 'client_secret_basic')) metadata['client_secret'] = placeholder(client.client_id);
  // oidc-provider keeps a client, and the keys it fetched for it, by a hash of all of this.
  if (client.jwks_uri !== undefined) metadata['urn:clientele:keys'] = Math.floor(Date.now() / 1000 / jwksUriMaxAge);
  return metadata;
}

/** The adapter for the model Client. The registry is the only place where clients are changed. */
class ClientAdapter implements Adapter {
  constructor(private readonly registry: Registry, private readonly jwksUriMaxAge: number) {}

  async find(id: string): Promise<Record<string, unknown> | undefined> {
    if (!installed.has(this.registry)) throw new Error('call install(registry, provider) before the server is used');
    try {
      const client = await this.registry.resolve(id);
      return client && forProvider(client, this.jwksUriMaxAge);
    } catch (error) {
      throw asResponse(this.registry, error);
    }
  }

  upsert(): Promise<undefined> { return readOnly(); }

  destroy(): Promise<undefined> { return readOnly(); }

  findByUserCode(): Promise<undefined> { return readOnly(); }

  findByUid(): Promise<undefined> { return readOnly(); }

  consume(): Promise<undefined> { return readOnly(); }

  revokeByGrantId(): Promise<undefined> { return readOnly(); }
}

async function readOnly(): Promise<never> {
  throw new Error('clients are changed in the registry only');
}

/**
 * Returns an adapter of oidc-provider that has the clients of the registry. All other models
 * go to the adapter of yours, a class or a function.
 */
export function clienteleAdapter(registry: Registry, other: AdapterConstructor | AdapterFactory, options: AdapterOptions = {}): AdapterFactory {
  if (typeof other !== 'function') throw new TypeError('an adapter for sessions, grants and tokens is needed');
  const { jwksUriMaxAge = 60 } = options;
  if (typeof jwksUriMaxAge !== 'number' || !(jwksUriMaxAge >= 1)) throw new TypeError('jwksUriMaxAge must be at least 1');
  return (name) => {
    if (name === 'Client') return new ClientAdapter(registry, jwksUriMaxAge);
    // As oidc-provider does it: arrow functions and methods have no prototype.
    return other.prototype ? new (other as AdapterConstructor)(name) : (other as AdapterFactory)(name);
  };
}

const asymmetric = {
  SigningAlgValues: ['RS256', 'PS256', 'ES256', 'Ed25519', 'EdDSA'],
  EncryptionAlgValues: ['ECDH-ES', 'RSA-OAEP', 'RSA-OAEP-256'],
};

type Algorithms = Record<string, string[] | undefined>;

/** Returns the algorithms without those that take a client's secret as their key; the registry has no secrets, only hashes. */
function withoutSecrets(given: Algorithms): Algorithms {
  const algorithms: Algorithms = { ...given };
  const pick = (name: string, standard: string[], symmetric: RegExp): void => {
    const found = algorithms[name]?.filter((algorithm) => symmetric.test(algorithm));
    if (found?.length) {
      throw new TypeError(`enabledJWA.${name} has ${found.join(', ')}, which would use the client's secret as its key; the registry has only hashes of secrets, so remove it`);
    }
    algorithms[name] ??= standard;
  };
  for (const name of ['clientAuth', 'idToken', 'requestObject', 'userinfo', 'introspection', 'authorization']) {
    pick(`${name}SigningAlgValues`, asymmetric.SigningAlgValues, signing);
    if (name !== 'clientAuth') pick(`${name}EncryptionAlgValues`, asymmetric.EncryptionAlgValues, encryption);
  }
  return algorithms;
}

function authMethods(base: Configuration): string[] {
  const given = base.clientAuthMethods && [...base.clientAuthMethods];
  if (given?.includes('client_secret_jwt')) {
    throw new TypeError('clientAuthMethods has client_secret_jwt, which needs the value of the secret; the registry has only its hash, so remove it');
  }
  return given ?? ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'];
}

/** A whole number of seconds that the registry has for the client. */
function seconds(client: Client | undefined, field: string): number | undefined {
  const value = client?.[field];
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : undefined;
}

type Lifetimes = NonNullable<Configuration['ttl']>;
type Lifetime<Name extends 'AccessToken' | 'ClientCredentials' | 'IdToken' | 'RefreshToken' | 'Grant'> = Lifetimes[Name];

/** Calls a lifetime of the configuration, or returns it. */
function lifetime<Arguments extends unknown[]>(given: number | ((...values: Arguments) => number) | undefined, standard: (...values: Arguments) => number, ...values: Arguments): number {
  if (typeof given === 'number') return given;
  return given ? given(...values) : standard(...values);
}

const HOUR = 3600;
const DAY = 24 * HOUR;

/** Returns lifetimes that are the client's where the registry has them, and those of the configuration elsewhere. */
function lifetimes(base: Lifetimes = {}): Lifetimes {
  const accessToken: Lifetime<'AccessToken'> = (ctx, token, client) => {
    const own = seconds(client, 'access_token_lifetime');
    const resource = token.resourceServer?.accessTokenTTL;
    return own === undefined ? lifetime(base.AccessToken, () => resource ?? HOUR, ctx, token, client) : Math.min(own, resource ?? own);
  };
  const clientCredentials: Lifetime<'ClientCredentials'> = (ctx, token, client) => {
    const own = seconds(client, 'access_token_lifetime');
    const resource = token.resourceServer?.accessTokenTTL;
    return own === undefined ? lifetime(base.ClientCredentials, () => resource ?? 10 * 60, ctx, token, client) : Math.min(own, resource ?? own);
  };
  const idToken: Lifetime<'IdToken'> = (ctx, token, client) => seconds(client, 'id_token_lifetime') ?? lifetime(base.IdToken, () => HOUR, ctx, token, client);
  const refreshToken: Lifetime<'RefreshToken'> = (ctx, token, client) => {
    const own = seconds(client, 'refresh_token_lifetime');
    // As oidc-provider has it: a new token of a client in a browser does not live longer than the old one.
    const rotated = ctx?.oidc?.entities.RotatedRefreshToken;
    const remaining = rotated && client.applicationType === 'web' && client.clientAuthMethod === 'none' && !token.isSenderConstrained() ? rotated.remainingTTL : undefined;
    return own === undefined ? lifetime(base.RefreshToken, () => remaining ?? 14 * DAY, ctx, token, client) : Math.min(own, remaining ?? own);
  };
  const grant: Lifetime<'Grant'> = (ctx, given) => {
    // A refresh token ends with its grant.
    const own = seconds(ctx?.oidc?.client, 'refresh_token_lifetime') ?? 0;
    return Math.max(own, lifetime(base.Grant, () => 14 * DAY, ctx, given));
  };
  return { ...base, AccessToken: accessToken, ClientCredentials: clientCredentials, IdToken: idToken, RefreshToken: refreshToken, Grant: grant };
}

/** Whether a refresh token is replaced when it is used, by the client, the configuration, or as oidc-provider does it. */
function rotation(base: Configuration['rotateRefreshToken']): Configuration['rotateRefreshToken'] {
  return (ctx) => {
    const { RefreshToken: token, Client: client } = ctx.oidc.entities;
    const own = client?.['refresh_token_rotation'];
    if (own === 'rotate' || own === 'reuse') return own === 'rotate';
    if (base !== undefined) return typeof base === 'function' ? base(ctx) : base;
    if (!token || token.totalLifetime() >= 365.25 * DAY) return false;
    if (client?.clientAuthMethod === 'none' && !token.isSenderConstrained()) return true;
    return token.ttlPercentagePassed() >= 70;
  };
}

/**
 * Returns the configuration with what the registry decides: the clients, their CORS origins,
 * PKCE, lifetimes of tokens and rotation of refresh tokens. It turns off algorithms that use
 * a client's secret as their key, and fails if the configuration asks for one.
 */
export function configuration(registry: Registry, base: Configuration, options: AdapterOptions = {}): Configuration {
  if (!base.adapter) throw new TypeError('adapter must be set: the registry keeps the clients, but no sessions, grants and tokens');
  if (base.features?.registration?.enabled) throw new TypeError('features.registration cannot be used: clients are registered in the registry');
  if (base.features?.clientIdMetadataDocument?.enabled) {
    throw new TypeError('features.clientIdMetadataDocument cannot be used: a client that is suspended or deleted in the registry would be read from its URL; use the option documents of openRegistry');
  }
  const { clientBasedCORS, pkce, extraClientMetadata: extra } = base;
  return {
    ...base,
    adapter: clienteleAdapter(registry, base.adapter, options),
    clientAuthMethods: authMethods(base) as NonNullable<Configuration['clientAuthMethods']>,
    enabledJWA: withoutSecrets((base.enabledJWA ?? {}) as Algorithms) as NonNullable<Configuration['enabledJWA']>,
    extraClientMetadata: { ...extra, properties: [...new Set([...(extra?.properties ?? []), ...extraClientMetadata])] },
    clientBasedCORS(ctx, origin, client) {
      const origins = client['cors_origins'];
      return (Array.isArray(origins) && origins.includes(origin)) || (clientBasedCORS?.(ctx, origin, client) ?? false);
    },
    pkce: {
      ...pkce,
      required(ctx, client) {
        return client['require_pkce'] === true || (pkce?.required?.(ctx, client) ?? pkceRequired(ctx, client));
      },
    },
    rotateRefreshToken: rotation(base.rotateRefreshToken),
    ttl: lifetimes(base.ttl),
  };
}

/** Fields that a client asks to be protected by, which oidc-provider ignores if their feature is off. */
const requirements: Readonly<Record<string, string>> = {
  dpop_bound_access_tokens: 'dPoP',
  tls_client_certificate_bound_access_tokens: 'mTLS.certificateBoundAccessTokens',
  require_pushed_authorization_requests: 'pushedAuthorizationRequests',
  require_signed_request_object: 'requestObjects',
  userinfo_signed_response_alg: 'jwtUserinfo',
  id_token_encrypted_response_alg: 'encryption',
  userinfo_encrypted_response_alg: 'encryption',
  introspection_encrypted_response_alg: 'encryption',
  authorization_encrypted_response_alg: 'encryption',
};

/** Options of {@link install}. */
export interface InstallOptions {
  /**
   * Whether the discovery document has what the registry says about registration:
   * `registration_endpoint` and `client_id_metadata_document_supported`. It has an effect only
   * before the provider's `callback` or `listen` is called. Default: false.
   */
  readonly publishRegistration?: boolean | undefined;
}

/**
 * Lets the provider verify secrets with the registry, and checks which clients it rejects.
 * It returns when all clients were checked; the provider can be used before.
 */
export async function install(registry: Registry, provider: Provider, options: InstallOptions = {}): Promise<void> {
  const { prototype } = provider.Client;
  const own = prototype.compareClientSecret;
  prototype.compareClientSecret = async function compareClientSecret(this: Client, secret: string): Promise<boolean> {
    // A client of the configuration has a secret of its own.
    if (this.clientSecret !== placeholder(this.clientId)) return own.call(this, secret);
    try {
      return await registry.verify(this.clientId, secret);
    } catch (error) {
      throw asResponse(registry, error);
    }
  };
  if (options.publishRegistration) {
    provider.use(async (ctx, next) => {
      await next();
      const { oidc } = ctx as unknown as Partial<KoaContextWithOIDC>; // absent if no route matches
      if (oidc?.route === 'discovery' && ctx.status === 200) Object.assign(ctx.body as object, await registry.serverMetadata());
    });
  }
  installed.set(registry, provider.constructor as RequestContext);
  const ProviderClient = provider.Client as unknown as new (metadata: Record<string, unknown>) => Client;
  await registry.checkWith((client) => {
    try {
      const metadata = new ProviderClient(forProvider(client, 1)).metadata() as Record<string, unknown>;
      const ignored = Object.keys(requirements).filter((field) => client[field] && metadata[field] === undefined);
      return { ignored: ignored.map((field) => `${field} (features.${requirements[field]})`).join(', ') || undefined };
    } catch (error) {
      const { error_description: description } = error as { error_description?: unknown };
      return { rejected: typeof description === 'string' ? description : describe(error) };
    }
  });
}

/** Whether oidc-provider requires PKCE by default. */
function pkceRequired(ctx: KoaContextWithOIDC, client: Client): boolean {
  if (client.clientAuthMethod === 'none') return true;
  const profile = ctx.oidc.isFapi('2.0', '1.0 Final');
  return profile === '2.0' || (profile === '1.0 Final' && ctx.oidc.route === 'pushed_authorization_request');
}
