import type { Clients } from './clients.js';
import { ProtocolError, describe } from './errors.js';
import { RESPONSE_TIME } from './feed.js';
import { isObject, readObject, type Transport } from './transport.js';

const MAX_VERIFIERS_BYTES = 64 * 1024;

/** Reads the hashes of secrets that the clients of a copy lack, because they changed. */
export class MissingVerifiers {
  readonly #transport: Transport;

  readonly #clients: () => Clients | undefined;

  readonly #changed: () => void;

  readonly #log: (message: string) => void;

  /** Clients whose hashes of secrets are to be read. */
  readonly #ids = new Set<string>();

  #reading: Promise<void> | undefined;

  #error: string | undefined;

  /** changed is called when hashes were added to the copy. */
  constructor(transport: Transport, clients: () => Clients | undefined, changed: () => void, log: (message: string) => void) {
    this.#transport = transport;
    this.#clients = clients;
    this.#changed = changed;
    this.#log = log;
  }

  get size(): number {
    return this.#ids.size;
  }

  /** Finds all clients that lack hashes. */
  findAll(): void {
    this.#ids.clear();
    for (const id of this.#clients()?.ids() ?? []) this.find(id);
  }

  find(id: string): void {
    if (this.#clients()?.lacksVerifiers(id)) this.#ids.add(id);
  }

  /** Reads hashes in the background. Until then, and if it fails, the registry is asked for each verification. */
  read(): void {
    if (!this.#ids.size || this.#reading) return;
    this.#reading = this.#readAll().finally(() => { this.#reading = undefined; });
  }

  /** Returns when no request is running any more. */
  async idle(): Promise<void> {
    await this.#reading;
  }

  async #readAll(): Promise<void> {
    try {
      for (const id of this.#ids) await this.#readOne(id);
      this.#error = undefined;
    } catch (error) {
      const message = `the hashes of secrets cannot be read: ${describe(error)}`;
      if (!this.#transport.closed && this.#error !== message) this.#log(message);
      this.#error = message;
    }
  }

  async #readOne(id: string): Promise<void> {
    const clients = this.#clients();
    const revision = clients?.revision(id);
    if (!clients || revision === undefined || !clients.lacksVerifiers(id)) {
      this.#ids.delete(id);
      return;
    }
    const path = `/clients/${encodeURIComponent(id)}/secret-verifiers`;
    const { data } = await this.#transport.send(path, { timeout: RESPONSE_TIME }, (response) => readObject(response, MAX_VERIFIERS_BYTES));
    if (!isObject(data) || data['secret_verifiers'] === undefined) throw new ProtocolError('the registry sent no hashes of secrets');
    clients.setVerifiers(id, revision, data['secret_verifiers']);
    // A client that has changed since then goes behind the others.
    this.#ids.delete(id);
    this.find(id);
    this.#changed();
  }
}
