import { quote, type ClientMetadata, type Clients } from './clients.js';
import type { ClientProblem } from './options.js';

const CHECKS_AT_ONCE = 50;

/** Returns why the authorization server rejects a client, and what it ignores of a client that it accepts. */
export type Check = (client: ClientMetadata) => { readonly rejected?: string | undefined; readonly ignored?: string | undefined };

/** Checks the clients of a copy with the authorization server, and keeps what was found. */
export class Checks {
  readonly #clients: () => Clients | undefined;

  readonly #log: (message: string) => void;

  #check: Check | undefined;

  readonly rejected = new Map<string, ClientProblem>();

  readonly ignored = new Map<string, ClientProblem>();

  constructor(clients: () => Clients | undefined, log: (message: string) => void) {
    this.#clients = clients;
    this.#log = log;
  }

  /** Sets the check for all clients, or ends the checks. */
  use(check: Check | undefined): void {
    this.#check = check;
  }

  one(id: string): void {
    if (!this.#check) return;
    const client = this.#clients()?.active(id);
    const { rejected, ignored } = (client && this.#check(client)) ?? {};
    this.#note(this.rejected, client, id, rejected, 'the authorization server rejects the client');
    this.#note(this.ignored, client, id, ignored, 'the authorization server ignores fields of the client');
  }

  /** Checks all clients. It ends early if the copy or the check is replaced. */
  async all(): Promise<void> {
    const clients = this.#clients();
    const check = this.#check;
    if (!clients || !check) return;
    for (const notes of [this.rejected, this.ignored]) for (const id of notes.keys()) if (!clients.has(id)) notes.delete(id);
    const ids = clients.ids();
    for (let i = 0; i < ids.length && this.#clients() === clients && this.#check === check; i += CHECKS_AT_ONCE) {
      for (const id of ids.slice(i, i + CHECKS_AT_ONCE)) this.one(id);
      // Requests are served at the same time.
      await new Promise((resolve) => { setImmediate(resolve); });
    }
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
}
