import { EventEmitter } from 'node:events';
import { performance } from 'node:perf_hooks';
import { Clients, asChange, isCursor, quote, type Change, type ClientMetadata, type Limits } from './clients.js';
import { Documents, isURL } from './documents.js';
import { ProtocolError, RegistryUnavailableError, ResponseError, StaleError, describe } from './errors.js';
import { MirrorFile } from './file.js';
import { ServerMetadataCache, type ServerMetadata } from './metadata.js';
import { readSnapshot } from './snapshot.js';
import { Transport, chunks, isObject, readObject, type Token } from './transport.js';
import { Verifications } from './verification.js';

/** How to reach the registry, and how long to do without it. */
export interface RegistryOptions {
  /** The root URL of the registry, for example `https://clientele.example.com`. */
  readonly url: string;
  /** A token with the scopes `clients:read` and `clients:verify`. */
  readonly token: Token;
  /** The tenant, if the token has the platform role. */
  readonly tenant?: string | undefined;
  /** A file that keeps the clients, so that the server can start while the registry is unavailable. */
  readonly file?: string | undefined;
  /**
   * Whether to keep the hashes of secrets, in the file as well, so that secrets are verified
   * without the registry. The token then needs the scope `clients:verifiers`, too. Default: false.
   */
  readonly verifiers?: boolean | undefined;
  /**
   * Whether clients are admitted whose identifier is the URL of a client ID metadata document, if
   * the policy of the registry admits it. Default: false.
   */
  readonly documents?: boolean | undefined;
  /** Seconds for which the copy is used while the registry is unavailable. Default: 86400. Negative: without limit. */
  readonly maxStaleness?: number | undefined;
  /** Seconds within which {@link openRegistry} must have the clients. Default: 30. */
  readonly startTimeout?: number | undefined;
  /** Seconds for verifying a secret. Default: 5. */
  readonly verifyTimeout?: number | undefined;
  /** Maximum number of clients. Default: 200000. */
  readonly maxClients?: number | undefined;
  /** Maximum size of all clients, in bytes. Default: 256 MiB. */
  readonly maxBytes?: number | undefined;
  /** Receives what an operator should know. Default: a line on standard error. */
  readonly log?: ((message: string) => void) | undefined;
}

/** A client that the authorization server does not accept, or not in every respect. */
export interface ClientProblem {
  readonly clientId: string;
  readonly revision: number;
  /** The words of the authorization server, or the fields that it ignores. */
  readonly reason: string;
}

/** The state of the copy, for health checks and metrics. */
export interface Health {
  /**
   * `current`: it follows the registry; `disconnected`: the registry is unavailable, and the copy
   * is used; `stale`: there is no copy, or it is too old to be used; `closed`.
   */
  readonly state: 'current' | 'disconnected' | 'stale' | 'closed';
  readonly clients: number;
  /** When the registry last responded. */
  readonly contact: Date | undefined;
  /** Seconds since then, and for how long the registry held changes back before. */
  readonly age: number | undefined;
  /** Why the last request failed, if it did. */
  readonly error: string | undefined;
  /** Why the file could not be read or written, if so. */
  readonly fileError: string | undefined;
  /** The number of clients that the authorization server rejects, and the first 100 of them. */
  readonly rejectedCount: number;
  readonly rejected: readonly ClientProblem[];
  /** The number of clients with requirements that the authorization server ignores, and the first 100 of them. */
  readonly ignoredCount: number;
  readonly ignored: readonly ClientProblem[];
  /** The number of clients whose records in the registry are damaged, and the first 100 of them. */
  readonly unreadableCount: number;
  readonly unreadable: readonly string[];
  /** Results of verifications that are kept, and requests for further ones. */
  readonly verifications: { readonly kept: number; readonly running: number };
  /** With `documents`: clients by URL that are kept in addition to the copy, and requests for further ones. */
  readonly documents: { readonly kept: number; readonly running: number };
  /** With `verifiers`: the number of clients whose hashes of secrets are still to be read. */
  readonly missingVerifiers: number;
}

interface Events {
  /** A client changed. The copy has the change already. */
  change: [{ clientId: string; action: string; revision: number }];
  /** All clients were read again. */
  synchronized: [{ clients: number }];
}

/** Returns why the authorization server rejects a client, and what it ignores of a client that it accepts. */
type Check = (client: ClientMetadata) => { readonly rejected?: string | undefined; readonly ignored?: string | undefined };

const SNAPSHOT_TIMEOUT = 10 * 60 * 1000;
const WAIT_SECONDS = 25;
const RESPONSE_TIME = 10_000;
const CHANGES_LIMIT = 500;
const MAX_CHANGES_BYTES = 32 * 1024 * 1024;
const MAX_VERIFIERS_BYTES = 64 * 1024;
const MAX_CATCH_UP = 1_000;
const MIN_BACKOFF = 100;
/** A connection costs little, so that the registry is found soon after it is back. */
const MAX_BACKOFF = 500;
/** A snapshot costs much, and a registry that breaks its contract does not stop at once. */
const MAX_EXPENSIVE_BACKOFF = 30_000;
/** A registry that loses its history again and again is not read at once again. */
const MIN_BETWEEN_SNAPSHOTS = 10_000;
/** The time between requests for changes that brought nothing, for a registry that does not wait. */
const IDLE_PAUSE = 200;
const FILE_DELAY = 500;
const FILE_REFRESH = 5 * 60 * 1000;
const CATCH_UP_WITH_FILE = 5_000;
const CHECKS_AT_ONCE = 50;
const SHOWN = 100;
/** How often a document is requested again because the client changed during the request. */
const RESOLVE_ATTEMPTS = 3;
const FORM = { format: 'rfc7591', effective: 'true' };

/** The cursor is not in the history of the registry, so that the clients are read again. */
class LostCursorError extends RegistryUnavailableError {}

/**
 * A copy of the clients of a registry, which follows its changes. Open it with {@link openRegistry}.
 */
export class Registry extends EventEmitter<Events> {
  readonly #transport: Transport;

  readonly #verifications: Verifications;

  /** Undefined if clients by URL are not admitted. */
  readonly #documents: Documents | undefined;

  #metadata: ServerMetadataCache | undefined;

  readonly #limits: Limits;

  readonly #source: string;

  readonly #file: MirrorFile | undefined;

  readonly #maxStaleness: number;

  readonly #waitSeconds: number;

  readonly #log: (message: string) => void;

  #clients: Clients | undefined;

  #unreadable = new Set<string>();

  #cursor: string | undefined;

  /** Whether the end of the feed was reached, so that the next request waits for changes. */
  #caughtUp = false;

  /** When all clients were read. */
  #readAllAt = Number.NEGATIVE_INFINITY;

  /** When the copy was last known to be complete, by the clock and by a timer that is never set. */
  #contact: { clock: number; timer: number } | undefined;

  #error: string | undefined;

  #fileError: string | undefined;

  #fileWritten = 0;

  #fileDelay = FILE_DELAY;

  #fileTimer: NodeJS.Timeout | undefined;

  #writing: Promise<void> = Promise.resolve();

  #check: Check | undefined;

  readonly #rejected = new Map<string, ClientProblem>();

  readonly #ignored = new Map<string, ClientProblem>();

  readonly #verifiers: boolean;

  /** Clients whose hashes of secrets are to be read. */
  readonly #missingVerifiers = new Set<string>();

  #readingVerifiers: Promise<void> | undefined;

  #verifiersError: string | undefined;

  #closed = false;

  #endSleep: (() => void) | undefined;

  #following: Promise<void> = Promise.resolve();

  constructor(options: RegistryOptions) {
    super();
    const { url, token, tenant, file } = options;
    this.#limits = { maxClients: positive(options, 'maxClients', 200_000), maxBytes: positive(options, 'maxBytes', 256 * 1024 * 1024) };
    const maxStaleness = options.maxStaleness ?? 86_400;
    if (typeof maxStaleness !== 'number' || !(maxStaleness < 0 || maxStaleness >= 3)) throw new TypeError('maxStaleness must be negative, or at least 3 seconds');
    this.#maxStaleness = maxStaleness < 0 ? Number.POSITIVE_INFINITY : maxStaleness * 1000;
    // The copy must not become stale while a request waits for changes.
    this.#waitSeconds = Math.min(WAIT_SECONDS, Math.floor(this.#maxStaleness / 3000));
    this.#verifiers = options.verifiers ?? false;
    this.#transport = new Transport(url, token, tenant);
    this.#verifications = new Verifications(this.#transport, positive(options, 'verifyTimeout', 5) * 1000);
    this.#source = `${new URL(url).href} ${tenant ?? ''}`;
    this.#file = file === undefined ? undefined : new MirrorFile(file, this.#limits);
    const log = options.log ?? ((message) => { console.warn(`clientele: ${message}`); });
    // Part of a message can come from outside, and must not look like a line of its own.
    this.#log = (message) => { log(message.replace(/\p{C}/gu, ' ')); };
    this.#documents = options.documents ? new Documents(this.#transport) : undefined;
  }

  /** Returns an active client of the copy. Throws a {@link RegistryUnavailableError} where it cannot be known. */
  get(id: string): ClientMetadata | undefined {
    const clients = this.#usable();
    if (this.#unreadable.has(id)) throw new RegistryUnavailableError(`the registry cannot read its record of the client ${quote(id)}`);
    return clients.active(id);
  }

  /**
   * Returns an active client, as {@link get} does. With `documents` it also returns the client
   * whose identifier is the URL of a client ID metadata document that the registry admits: it
   * asks the registry, and uses the response for as long as the registry says. About approved
   * documents, which are in the copy, it asks in the background; one that the registry does not
   * admit any more is not found until the registry admits it again.
   */
  async resolve(id: string): Promise<ClientMetadata | undefined> {
    for (let attempt = 0; attempt < RESOLVE_ATTEMPTS; attempt += 1) {
      const client = this.get(id);
      // A suspended client is not read from its URL.
      if (!this.#documents || !isURL(id) || this.#clients?.has(id)) {
        return client && isURL(id) && this.#documents?.admits(id) === false ? undefined : client;
      }
      const resolved = await this.#documents.find(id);
      if (!resolved.outdated) return resolved.client;
    }
    throw new RegistryUnavailableError('the client changed during every attempt');
  }

  /**
   * Reports whether the value is a secret of the client. Throws a
   * {@link RegistryUnavailableError} where it cannot be known; that is never a wrong secret.
   */
  async verify(id: string, secret: string): Promise<boolean> {
    // RFC 6749 appendix A.2 allows only these characters, and the registry at most 512.
    const clients = this.#usable();
    if (!clients.isActive(id) || !/^[\x20-\x7e]{1,512}$/.test(secret)) return false;
    if (clients.matches(id, secret)) return true;
    const valid = await this.#verifications.verify(id, secret);
    return valid && this.#usable().isActive(id);
  }

  /**
   * Returns what the authorization server should publish about registration, as the policy of
   * the registry has it now: `registration_endpoint` if everyone may register, and
   * `client_id_metadata_document_supported` with the option `documents`. While the registry is
   * unavailable, it returns what was known last.
   */
  async serverMetadata(): Promise<ServerMetadata> {
    this.#metadata ??= new ServerMetadataCache(this.#transport, this.#documents !== undefined);
    return this.#metadata.get();
  }

  health(): Health {
    const age = this.#age();
    return {
      state: this.#closed ? 'closed' : this.#staleness() ? 'stale' : this.#error === undefined ? 'current' : 'disconnected',
      clients: this.#clients?.size ?? 0,
      contact: this.#contact && new Date(this.#contact.clock),
      age: age === undefined ? undefined : age / 1000,
      error: this.#error,
      fileError: this.#fileError,
      rejectedCount: this.#rejected.size,
      rejected: first(this.#rejected.values(), SHOWN),
      ignoredCount: this.#ignored.size,
      ignored: first(this.#ignored.values(), SHOWN),
      unreadableCount: this.#unreadable.size,
      unreadable: first(this.#unreadable, SHOWN),
      verifications: { kept: this.#verifications.cached, running: this.#verifications.asking },
      documents: { kept: this.#documents?.kept ?? 0, running: this.#documents?.running ?? 0 },
      missingVerifiers: this.#missingVerifiers.size,
    };
  }

  /** Ends all requests, and writes the file a last time. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#transport.close();
    this.#endSleep?.();
    await this.#following;
    await this.#readingVerifiers;
    if (this.#fileTimer) {
      clearTimeout(this.#fileTimer);
      this.#writeFile();
    }
    await this.#writing;
    this.#verifications.dropAll();
  }

  /**
   * Checks every client, now and after each change, and reports those that are rejected.
   * The result does not decide who is served: the authorization server does.
   *
   * @internal
   */
  async checkWith(check: Check): Promise<void> {
    this.#check = check;
    await this.#checkAll();
  }

  /**
   * Starts, and returns when there is a copy. See {@link openRegistry}.
   *
   * @internal
   */
  async start(timeout: number): Promise<void> {
    const stored = await this.#readFile();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, stored ? Math.min(timeout, CATCH_UP_WITH_FILE) : timeout);
      this.#following = this.#follow(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    if (this.#clients) return;
    const error = this.#error ?? 'it took too long';
    await this.close();
    throw new RegistryUnavailableError(`the clients could not be read: ${error}`);
  }

  /** Follows the registry until the copy is closed. started is called once it is complete, or usable from the file and the registry unavailable. */
  async #follow(started: () => void): Promise<void> {
    let failures = 0;
    while (!this.#closed) {
      try {
        if (this.#cursor === undefined) await this.#readAll();
        else await this.#readChanges();
        if (this.#error !== undefined) this.#log('the registry is followed again');
        failures = 0;
        this.#error = undefined;
        if (this.#caughtUp) started();
      } catch (error) {
        if (this.#closed) break;
        this.#caughtUp = false;
        if (error instanceof LostCursorError || error instanceof ProtocolError) {
          // A change that breaks the contract does not come a second time if all clients are read.
          this.#cursor = undefined;
          if (error instanceof LostCursorError && performance.now() - this.#readAllAt > MIN_BETWEEN_SNAPSHOTS) {
            this.#log(`all clients are read again: ${error.message}`);
            continue;
          }
        }
        const message = describe(error);
        if (this.#error !== message) this.#log(message);
        this.#error = message;
        failures += 1;
        // The copy from a file is used if the registry is unavailable.
        if (this.#clients) started();
        await this.#sleep(backoff(failures, error, this.#cursor === undefined));
      }
    }
    started();
  }

  /** Reads all clients and the changes since. The copy is replaced when it is complete. */
  async #readAll(): Promise<void> {
    this.#readAllAt = performance.now();
    const request = { query: this.#verifiers ? { ...FORM, include: 'secret_verifiers' } : FORM, timeout: SNAPSHOT_TIMEOUT };
    const read = (response: Response): ReturnType<typeof readSnapshot> => readSnapshot(chunks(response, 2 * this.#limits.maxBytes), this.#limits);
    const { clients, unreadable, cursor } = await this.#transport.send('/snapshot', request, read);
    let after = cursor;
    let heldBack = 0;
    for (let i = 0; i < MAX_CATCH_UP; i += 1) {
      const batch = await this.#changes(after, 0);
      if (batch.changes.some((change) => change.unreadable && !unreadable.has(change.clientId))) {
        throw new ProtocolError('the registry has a damaged record that it reads in one place only');
      }
      for (const change of batch.changes) {
        apply(clients, change);
        if (!change.unreadable) unreadable.delete(change.clientId);
      }
      after = batch.next;
      heldBack = batch.heldBack;
      if (!batch.changes.length) break;
    }
    if (unreadable.size) this.#log(`the registry cannot read its records of ${unreadable.size} clients`);
    this.#clients = clients;
    this.#unreadable = unreadable;
    this.#cursor = after;
    this.#caughtUp = true;
    this.#contacted(heldBack);
    this.#findMissingVerifiers();
    this.#readVerifiers();
    // What was known of secrets may be older than what the snapshot has.
    this.#verifications.dropAll();
    this.#documents?.dropAll();
    this.#writeSoon();
    this.#emit('synchronized', { clients: clients.size });
    void this.#checkAll();
  }

  /** Waits for changes and applies them. */
  async #readChanges(): Promise<void> {
    const began = performance.now();
    const { changes, next, heldBack } = await this.#changes(this.#cursor ?? '', this.#caughtUp ? this.#waitSeconds : 0);
    if (changes.some((change) => change.unreadable)) throw new LostCursorError('a change in the feed is damaged');
    const clients = this.#clients;
    if (!clients) throw new LostCursorError('there is no copy');
    let applied = 0;
    for (const change of changes) {
      const { clientId, action, revision } = change;
      const changed = apply(clients, change);
      this.#verifications.drop(clientId);
      this.#documents?.drop(clientId);
      this.#unreadable.delete(clientId);
      if (!changed) continue;
      applied += 1;
      if (this.#verifiers && clients.lacksVerifiers(clientId)) this.#missingVerifiers.add(clientId);
      this.#checkOne(clientId);
      this.#emit('change', { clientId, action, revision });
    }
    this.#caughtUp ||= !changes.length;
    this.#cursor = next;
    this.#contacted(heldBack);
    if (changes.length) this.#writeSoon();
    this.#readVerifiers();
    if (!applied) await this.#sleep(Math.max(0, IDLE_PAUSE - (performance.now() - began)));
  }

  #findMissingVerifiers(): void {
    this.#missingVerifiers.clear();
    const clients = this.#clients;
    if (!this.#verifiers || !clients) return;
    for (const id of clients.ids()) if (clients.lacksVerifiers(id)) this.#missingVerifiers.add(id);
  }

  /** Reads hashes of secrets that changed. Until then, and if it fails, the registry is asked for each verification. */
  #readVerifiers(): void {
    if (!this.#missingVerifiers.size || this.#readingVerifiers) return;
    this.#readingVerifiers = (async () => {
      try {
        for (const id of this.#missingVerifiers) {
          const clients = this.#clients;
          const revision = clients?.revision(id);
          if (!clients || revision === undefined || !clients.lacksVerifiers(id)) {
            this.#missingVerifiers.delete(id);
            continue;
          }
          const path = `/clients/${encodeURIComponent(id)}/secret-verifiers`;
          const { data } = await this.#transport.send(path, { timeout: RESPONSE_TIME }, (response) => readObject(response, MAX_VERIFIERS_BYTES));
          if (!isObject(data) || data['secret_verifiers'] === undefined) throw new ProtocolError('the registry sent no hashes of secrets');
          clients.setVerifiers(id, revision, data['secret_verifiers']);
          // A client that has changed since then goes behind the others.
          this.#missingVerifiers.delete(id);
          if (this.#clients?.lacksVerifiers(id)) this.#missingVerifiers.add(id);
          this.#writeSoon();
        }
        this.#verifiersError = undefined;
      } catch (error) {
        const message = `the hashes of secrets cannot be read: ${describe(error)}`;
        if (!this.#closed && this.#verifiersError !== message) this.#log(message);
        this.#verifiersError = message;
      }
      this.#readingVerifiers = undefined;
    })();
  }

  /** Calls the listeners. Their errors are not failures of the registry. */
  #emit<Name extends keyof Events>(name: Name, ...values: Events[Name]): void {
    try {
      (this as EventEmitter).emit(name, ...values);
    } catch (error) {
      this.#log(`a listener for ${name} failed: ${describe(error)}`);
    }
  }

  async #changes(after: string, wait: number): Promise<{ changes: Change[]; next: string; heldBack: number }> {
    const query = { ...FORM, after, limit: String(CHANGES_LIMIT), wait_seconds: String(wait) };
    let body: Record<string, unknown>;
    try {
      body = await this.#transport.send('/changes', { query, timeout: wait * 1000 + RESPONSE_TIME }, (response) => readObject(response, MAX_CHANGES_BYTES));
    } catch (error) {
      if (error instanceof ResponseError && error.status === 400 && error.own && error.fields.includes('?after')) {
        throw new LostCursorError('the registry does not know the last change that was read; it was probably restored from a backup', { cause: error });
      }
      throw error;
    }
    const { data } = body;
    if (!isObject(data) || !Array.isArray(data['changes']) || !isCursor(data['next'])) throw new ProtocolError('the registry sent no changes');
    if (data['changes'].length > 10 * CHANGES_LIMIT) throw new ProtocolError('the registry sent too many changes');
    const heldBack = data['held_back_seconds'];
    return { changes: data['changes'].map(asChange), next: data['next'], heldBack: typeof heldBack === 'number' && heldBack > 0 ? heldBack : 0 };
  }

  #usable(): Clients {
    const reason = this.#closed ? 'the connection to the registry is closed' : this.#staleness();
    if (reason !== undefined || !this.#clients) throw new StaleError(reason ?? 'there are no clients yet');
    return this.#clients;
  }

  /** Returns why the copy must not be used, if so. */
  #staleness(): string | undefined {
    const age = this.#age();
    if (age === undefined) return `there are no clients yet: ${this.#error ?? 'the registry was not read'}`;
    return age > this.#maxStaleness ? `the clients are ${Math.round(age / 1000)} s old: ${this.#error ?? 'the registry holds changes back'}` : undefined;
  }

  /** Returns the age of the copy in milliseconds. A clock that is set makes it older, never younger. */
  #age(): number | undefined {
    if (!this.#contact || !this.#clients) return undefined;
    return Math.max(0, Date.now() - this.#contact.clock, performance.now() - this.#contact.timer);
  }

  /** Notes that the copy is complete now, but for changes that the registry holds back. */
  #contacted(heldBack: number): void {
    this.#contact = { clock: Date.now() - heldBack * 1000, timer: performance.now() - heldBack * 1000 };
    const refresh = Math.min(FILE_REFRESH, Math.max(1_000, this.#maxStaleness / 10));
    if (Date.now() - this.#fileWritten > refresh) this.#writeSoon();
  }

  async #readFile(): Promise<boolean> {
    try {
      const stored = await this.#file?.read(this.#source, this.#verifiers);
      await this.#file?.clean();
      if (!stored) return false;
      this.#clients = stored.clients;
      this.#unreadable = new Set(stored.unreadable);
      this.#cursor = stored.cursor;
      this.#contact = { clock: stored.contact, timer: performance.now() - (Date.now() - stored.contact) };
      this.#fileWritten = stored.contact;
      this.#findMissingVerifiers();
      return true;
    } catch (error) {
      this.#fileFailed('read', error);
      return false;
    }
  }

  /** Writes the file, once for the changes of a moment. */
  #writeSoon(): void {
    if (!this.#file || this.#fileTimer || this.#closed) return;
    this.#fileTimer = setTimeout(() => { this.#writeFile(); }, this.#fileDelay);
    this.#fileTimer.unref();
  }

  #writeFile(): void {
    this.#fileTimer = undefined;
    this.#writing = this.#writing.then(async () => {
      if (!this.#file || !this.#clients || !this.#contact || this.#cursor === undefined) return;
      const header = { source: this.#source, cursor: this.#cursor, contact: Math.round(this.#contact.clock), unreadable: [...this.#unreadable], verifiers: this.#verifiers };
      const began = performance.now();
      try {
        await this.#file.write(header, this.#clients);
        // Writing a large file that changes often takes a twentieth of the time at most.
        this.#fileDelay = Math.max(FILE_DELAY, 20 * (performance.now() - began));
        this.#fileWritten = Date.now();
        this.#fileError = undefined;
      } catch (error) {
        this.#fileFailed('written', error);
      }
    });
  }

  #fileFailed(what: 'read' | 'written', error: unknown): void {
    const message = `the file ${this.#file?.path ?? ''} cannot be ${what}: ${describe(error)}`;
    if (this.#fileError !== message) this.#log(message);
    this.#fileError = message;
  }

  #checkOne(id: string): void {
    const client = this.#clients?.active(id);
    const { rejected, ignored } = (client && this.#check?.(client)) ?? {};
    this.#note(this.#rejected, client, id, rejected, 'the authorization server rejects the client');
    this.#note(this.#ignored, client, id, ignored, 'the authorization server ignores fields of the client');
  }

  /** Notes what was found of a client, and logs it once. */
  #note(notes: Map<string, ClientProblem>, client: ClientMetadata | undefined, id: string, reason: string | undefined, message: string): void {
    if (!client || reason === undefined) {
      notes.delete(id);
      return;
    }
    if (notes.get(id)?.reason !== reason) this.#log(`${message} ${quote(id)}: ${reason}`);
    notes.set(id, { clientId: id, revision: client.revision, reason });
  }

  async #checkAll(): Promise<void> {
    const clients = this.#clients;
    if (!clients || !this.#check) return;
    for (const notes of [this.#rejected, this.#ignored]) for (const id of notes.keys()) if (!clients.has(id)) notes.delete(id);
    const ids = clients.ids();
    for (let i = 0; i < ids.length && this.#clients === clients && !this.#closed; i += CHECKS_AT_ONCE) {
      for (const id of ids.slice(i, i + CHECKS_AT_ONCE)) this.#checkOne(id);
      // Requests are served at the same time.
      await new Promise((resolve) => { setImmediate(resolve); });
    }
  }

  async #sleep(milliseconds: number): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#endSleep = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#endSleep = undefined;
  }
}

/**
 * Opens a copy of the clients of a registry. It rejects if there is neither a registry nor a
 * file within `startTimeout`. With a file it waits a moment for what changed since.
 */
export async function openRegistry(options: RegistryOptions): Promise<Registry> {
  const registry = new Registry(options);
  await registry.start(positive(options, 'startTimeout', 30) * 1000);
  return registry;
}

/** Applies a change, unless the copy is newer, and reports whether it did. */
function apply(clients: Clients, change: Change): boolean {
  const known = clients.revision(change.clientId);
  // A client is purged after its last revision, so that both have the same number.
  if (known !== undefined && change.revision <= known && change.action !== 'purge') return false;
  if (change.removes) return clients.delete(change.clientId);
  if (!change.client) return false;
  clients.change(change.client, change.action);
  return true;
}

/** Returns the milliseconds to wait after so many failures, at random, so that servers do not come back in step. */
function backoff(failures: number, error: unknown, expensive: boolean): number {
  const limit = error instanceof ProtocolError || (expensive && error instanceof ResponseError) ? MAX_EXPENSIVE_BACKOFF : MAX_BACKOFF;
  const longest = Math.min(limit, MIN_BACKOFF * 2 ** Math.min(failures, 20));
  const asked = error instanceof RegistryUnavailableError ? (error.retryAfter ?? 0) * 1000 : 0;
  return Math.max(longest * (0.5 + Math.random() / 2), Math.min(asked, 60_000));
}

function first<T>(values: Iterable<T>, count: number): T[] {
  const result: T[] = [];
  for (const value of values) {
    if (result.length === count) break;
    result.push(value);
  }
  return result;
}

function positive<Name extends 'maxClients' | 'maxBytes' | 'verifyTimeout' | 'startTimeout'>(options: RegistryOptions, name: Name, standard: number): number {
  const value = options[name] ?? standard;
  if (typeof value !== 'number' || !(value > 0)) throw new TypeError(`${name} must be a positive number`);
  return value;
}
