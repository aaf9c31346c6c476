import { createHash, timingSafeEqual } from 'node:crypto';
import { ProtocolError } from './errors.js';
import { isObject } from './transport.js';

/** A client in the names of RFC 7591, as the registry sends it. */
export interface ClientMetadata {
  client_id: string;
  client_name?: string;
  status: string;
  revision: number;
  token_endpoint_auth_method?: string;
  jwks_uri?: string;
  cors_origins?: string[];
  [field: string]: unknown;
}

/** A client in the copy. It is kept as text: small, and safe from changes by accident. */
interface Entry {
  readonly revision: number;
  readonly active: boolean;
  readonly text: string;
  /** The hashes of its secrets; undefined if they are not known. */
  readonly verifiers: readonly Verifier[] | undefined;
}

/** The hash of a secret that is valid until then, in milliseconds since 1970. */
interface Verifier {
  readonly hash: Buffer;
  readonly end: number;
}

const MAX_VERIFIERS = 16;

/** Reads hashes of secrets. Those of other algorithms than SHA-256 are left out, so that the registry is asked. */
function asVerifiers(value: unknown): Verifier[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length > MAX_VERIFIERS || !value.every(isObject)) throw new ProtocolError('the hashes of secrets are no list');
  return value.filter(({ algorithm }) => algorithm === 'sha-256').map(({ hash, expires_at: expires }) => {
    const end = expires === undefined ? Number.POSITIVE_INFINITY : typeof expires === 'string' ? Date.parse(expires) : Number.NaN;
    if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash) || Number.isNaN(end)) throw new ProtocolError('the hash of a secret is not one of SHA-256');
    return { hash: Buffer.from(hash, 'hex'), end };
  });
}

/** Limits of a copy. */
export interface Limits {
  readonly maxClients: number;
  readonly maxBytes: number;
}

/** The copy of the clients, of limited size. */
export class Clients {
  readonly #entries = new Map<string, Entry>();

  #bytes = 0;

  constructor(private readonly limits: Limits) {}

  get size(): number {
    return this.#entries.size;
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  revision(id: string): number | undefined {
    return this.#entries.get(id)?.revision;
  }

  /** Returns the client if it is active. */
  active(id: string): ClientMetadata | undefined {
    const entry = this.#entries.get(id);
    if (!entry?.active) return undefined;
    const client = JSON.parse(entry.text) as ClientMetadata;
    delete client['secret_verifiers'];
    return client;
  }

  /** Reports whether the value has the hash of one of the client's secrets. If not, it can still be a secret. */
  matches(id: string, secret: string): boolean {
    const verifiers = this.#entries.get(id)?.verifiers;
    if (!verifiers?.length) return false;
    const hash = createHash('sha256').update(secret).digest();
    let found = false;
    for (const verifier of verifiers) found = (timingSafeEqual(verifier.hash, hash) && Date.now() < verifier.end) || found;
    return found;
  }

  /** Reports whether the hashes of the client's secrets are not known, although it has secrets. */
  lacksVerifiers(id: string): boolean {
    const entry = this.#entries.get(id);
    return entry?.active === true && entry.verifiers === undefined && usesSecrets(JSON.parse(entry.text) as ClientMetadata);
  }

  /** Sets the hashes of a client that is still at the revision. */
  setVerifiers(id: string, revision: number, verifiers: unknown): void {
    const entry = this.#entries.get(id);
    if (entry?.revision !== revision) return;
    const client = { ...(JSON.parse(entry.text) as ClientMetadata), secret_verifiers: verifiers };
    this.set(client, JSON.stringify(client));
  }

  /** Applies a change to the client. The hashes of its secrets remain if the change cannot have affected them. */
  change(client: ClientMetadata, action: string): void {
    const text = this.#entries.get(client.client_id)?.text;
    const before = text === undefined ? undefined : (JSON.parse(text) as ClientMetadata);
    const keeps = before?.['secret_verifiers'] !== undefined && (action === 'update' || action === 'revert')
      && ['status', 'is_confidential', 'client_auth_methods', 'token_endpoint_auth_method'].every((field) => JSON.stringify(before[field]) === JSON.stringify(client[field]));
    const after: ClientMetadata = keeps ? { ...client, secret_verifiers: before['secret_verifiers'] } : client;
    this.set(after, JSON.stringify(after));
  }

  isActive(id: string): boolean {
    return this.#entries.get(id)?.active === true;
  }

  ids(): string[] {
    return [...this.#entries.keys()];
  }

  /** Returns the JSON texts of all clients. */
  texts(): string[] {
    return Array.from(this.#entries.values(), (entry) => entry.text);
  }

  set(client: ClientMetadata, text: string): void {
    const id = client.client_id;
    const verifiers = asVerifiers(client['secret_verifiers']);
    const bytes = this.#bytes + text.length - (this.#entries.get(id)?.text.length ?? 0);
    if (!this.#entries.has(id) && this.#entries.size >= this.limits.maxClients) {
      throw new ProtocolError(`there are more than ${this.limits.maxClients} clients (maxClients)`);
    }
    if (bytes > this.limits.maxBytes) throw new ProtocolError(`the clients are larger than ${this.limits.maxBytes} bytes (maxBytes)`);
    this.#bytes = bytes;
    this.#entries.set(id, { revision: client.revision, active: client.status === 'active', text, verifiers });
  }

  delete(id: string): boolean {
    this.#bytes -= this.#entries.get(id)?.text.length ?? 0;
    return this.#entries.delete(id);
  }
}

function usesSecrets(client: ClientMetadata): boolean {
  const methods = Array.isArray(client['client_auth_methods']) ? client['client_auth_methods'] : [client.token_endpoint_auth_method];
  return methods.some((method) => /^client_secret_/.test(String(method)));
}

const MAX_ID_LENGTH = 1024;

/** Checks what the copy relies on. The authorization server checks the rest when it uses the client. */
export function asClient(value: unknown): ClientMetadata {
  if (!isObject(value)) throw new ProtocolError('a client is not a JSON object');
  if (!isId(value['client_id'])) throw new ProtocolError('a client has no client_id');
  if (!isRevision(value['revision'])) throw new ProtocolError(`the client ${quote(value['client_id'])} has no revision`);
  if (typeof value['status'] !== 'string') throw new ProtocolError(`the client ${quote(value['client_id'])} has no status`);
  return value as ClientMetadata;
}

export function isId(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_ID_LENGTH;
}

export function isRevision(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function isCursor(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 512;
}

/** Quotes a name for a message, so that it cannot forge a line in a log. */
export function quote(id: string): string {
  return JSON.stringify(id.length > 200 ? `${id.slice(0, 200)}…` : id);
}

/** A change in the feed. */
export interface Change {
  readonly clientId: string;
  readonly revision: number;
  readonly action: string;
  /** The client after the change; absent if it is deleted. */
  readonly client?: ClientMetadata;
  /** Whether the change removes the client from the copy. */
  readonly removes: boolean;
  /** Whether the record of the change is damaged, so that the client has to be read again. */
  readonly unreadable: boolean;
}

/** Checks a change of the feed. */
export function asChange(value: unknown): Change {
  if (!isObject(value) || !isId(value['client_id']) || !isRevision(value['revision']) || typeof value['action'] !== 'string') {
    throw new ProtocolError('a change has no client_id, revision or action');
  }
  const { client_id: clientId, revision, action } = value;
  const change = { clientId, revision, action };
  if (value['unreadable'] === true) return { ...change, removes: false, unreadable: true };
  const document = value['client'];
  const removes = action === 'delete' || action === 'purge' || (isObject(document) && document['deleted_at'] !== undefined);
  if (removes || document === undefined) return { ...change, removes, unreadable: false };
  if (!isObject(document)) throw new ProtocolError('the client of a change is not a JSON object');
  const client = asClient({ ...document, revision });
  if (client.client_id !== clientId) throw new ProtocolError(`a change of ${quote(clientId)} has another client`);
  return { ...change, client, removes, unreadable: false };
}
