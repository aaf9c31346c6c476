import { EventEmitter } from 'node:events';
import { performance } from 'node:perf_hooks';
import { Checks, type Check } from './checks.js';
import { quote, type ClientMetadata, type Clients, type Limits } from './clients.js';
import { Documents, isURL } from './documents.js';
import { ProtocolError, RegistryUnavailableError, StaleError, describe } from './errors.js';
import { FORM, LostCursorError, apply, backoff, readChanges } from './feed.js';
import { MirrorFile } from './file.js';
import { ServerMetadataCache, type ServerMetadata } from './metadata.js';
import { positive, type Health, type RegistryOptions } from './options.js';
import { readSnapshot } from './snapshot.js';
import { Transport, chunks } from './transport.js';
import { Verifications } from './verification.js';
import { MissingVerifiers } from './verifiers.js';

interface Events {
  /** A client changed. The copy has the change already. */
  change: [{ clientId: string; action: string; revision: number }];
  /** All clients were read again. */
  synchronized: [{ clients: number }];
}

const SNAPSHOT_TIMEOUT = 10 * 60 * 1000;
const WAIT_SECONDS = 25;
const MAX_CATCH_UP = 1_000;
/** A registry that loses its history again and again is not read at once again. */
const MIN_BETWEEN_SNAPSHOTS = 10_000;
/** The time between requests for changes that brought nothing, for a registry that does not wait. */
const IDLE_PAUSE = 200;
const FILE_DELAY = 500;
const FILE_REFRESH = 5 * 60 * 1000;
const CATCH_UP_WITH_FILE = 5_000;
const SHOWN = 100;
/** How often a document is requested again because the client changed during the request. */
const RESOLVE_ATTEMPTS = 3;

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

  readonly #checks: Checks;

  /** Undefined if hashes of secrets are not kept. */
  readonly #missingVerifiers: MissingVerifiers | undefined;

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
    this.#transport = new Transport(url, token, tenant);
    this.#verifications = new Verifications(this.#transport, positive(options, 'verifyTimeout', 5) * 1000);
    this.#source = `${new URL(url).href} ${tenant ?? ''}`;
    this.#file = file === undefined ? undefined : new MirrorFile(file, this.#limits);
    const log = options.log ?? ((message) => { console.warn(`clientele: ${message}`); });
    // Part of a message can come from outside, and must not look like a line of its own.
    this.#log = (message) => { log(message.replace(/\p{C}/gu, ' ')); };
    const clients = (): Clients | undefined => this.#clients;
    this.#checks = new Checks(clients, this.#log);
    this.#missingVerifiers = options.verifiers ? new MissingVerifiers(this.#transport, clients, () => { this.#writeSoon(); }, this.#log) : undefined;
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
      rejectedCount: this.#checks.rejected.size,
      rejected: first(this.#checks.rejected.values(), SHOWN),
      ignoredCount: this.#checks.ignored.size,
      ignored: first(this.#checks.ignored.values(), SHOWN),
      unreadableCount: this.#unreadable.size,
      unreadable: first(this.#unreadable, SHOWN),
      verifications: { kept: this.#verifications.cached, running: this.#verifications.asking },
      documents: { kept: this.#documents?.kept ?? 0, running: this.#documents?.running ?? 0 },
      missingVerifiers: this.#missingVerifiers?.size ?? 0,
    };
  }

  /** Ends all requests, and writes the file a last time. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#transport.close();
    this.#checks.use(undefined);
    this.#endSleep?.();
    await this.#following;
    await this.#missingVerifiers?.idle();
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
    this.#checks.use(check);
    await this.#checks.all();
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
    const request = { query: this.#missingVerifiers ? { ...FORM, include: 'secret_verifiers' } : FORM, timeout: SNAPSHOT_TIMEOUT };
    const read = (response: Response): ReturnType<typeof readSnapshot> => readSnapshot(chunks(response, 2 * this.#limits.maxBytes), this.#limits);
    const { clients, unreadable, cursor } = await this.#transport.send('/snapshot', request, read);
    let after = cursor;
    let heldBack = 0;
    for (let i = 0; i < MAX_CATCH_UP; i += 1) {
      const batch = await readChanges(this.#transport, after, 0);
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
    this.#missingVerifiers?.findAll();
    this.#missingVerifiers?.read();
    // What was known of secrets may be older than what the snapshot has.
    this.#verifications.dropAll();
    this.#documents?.dropAll();
    this.#writeSoon();
    this.#emit('synchronized', { clients: clients.size });
    void this.#checks.all();
  }

  /** Waits for changes and applies them. */
  async #readChanges(): Promise<void> {
    const began = performance.now();
    const { changes, next, heldBack } = await readChanges(this.#transport, this.#cursor ?? '', this.#caughtUp ? this.#waitSeconds : 0);
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
      this.#missingVerifiers?.find(clientId);
      this.#checks.one(clientId);
      this.#emit('change', { clientId, action, revision });
    }
    this.#caughtUp ||= !changes.length;
    this.#cursor = next;
    this.#contacted(heldBack);
    if (changes.length) this.#writeSoon();
    this.#missingVerifiers?.read();
    if (!applied) await this.#sleep(Math.max(0, IDLE_PAUSE - (performance.now() - began)));
  }

  /** Calls the listeners. Their errors are not failures of the registry. */
  #emit<Name extends keyof Events>(name: Name, ...values: Events[Name]): void {
    try {
      (this as EventEmitter).emit(name, ...values);
    } catch (error) {
      this.#log(`a listener for ${name} failed: ${describe(error)}`);
    }
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
      const stored = await this.#file?.read(this.#source, this.#missingVerifiers !== undefined);
      await this.#file?.clean();
      if (!stored) return false;
      this.#clients = stored.clients;
      this.#unreadable = new Set(stored.unreadable);
      this.#cursor = stored.cursor;
      this.#contact = { clock: stored.contact, timer: performance.now() - (Date.now() - stored.contact) };
      this.#fileWritten = stored.contact;
      this.#missingVerifiers?.findAll();
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
      const header = { source: this.#source, cursor: this.#cursor, contact: Math.round(this.#contact.clock), unreadable: [...this.#unreadable], verifiers: this.#missingVerifiers !== undefined };
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

function first<T>(values: Iterable<T>, count: number): T[] {
  const result: T[] = [];
  for (const value of values) {
    if (result.length === count) break;
    result.push(value);
  }
  return result;
}
