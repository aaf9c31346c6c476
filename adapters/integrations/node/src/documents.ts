import { performance } from 'node:perf_hooks';
import { asClient, type ClientMetadata } from './clients.js';
import { ProtocolError, ResponseError } from './errors.js';
import { Slots, retried } from './requests.js';
import { isObject, readObject, type Transport } from './transport.js';

const MAX_DOCUMENTS = 1_000;
const MAX_BYTES = 32 * 1024 * 1024;
const MAX_RESPONSE_BYTES = 512 * 1024;
const MAX_URL_LENGTH = 1_024;
const MAX_RUNNING = 16;
/** Milliseconds for a request with all its attempts: the registry waits for a document for a few seconds, and a user for the response. */
const TIMEOUT = 10_000;
/** The maximum time for which a document is used, in milliseconds, even if the registry allows more. It also limits what a wrong clock can do. */
const MIN_AGE = 1_000;
const MAX_AGE = 24 * 60 * 60 * 1_000;
/** Milliseconds after which what failed is tried again. Users wait for a document that is not in the copy, but not for the check of an approved one. */
const FAILURE = 1_000;
const CHECK_FAILURE = 10_000;

/** Reports whether an identifier is the URL of a client ID metadata document. Others in a registry never begin like this. */
export function isURL(id: string): boolean {
  return /^https?:\/\//.test(id) && id.length <= MAX_URL_LENGTH;
}

/** The client that a document defines; undefined if the registry does not admit it. */
interface Resolved {
  /** The client as text: small, and safe from changes by accident. */
  readonly text: string | undefined;
  /** How long it may be used, in milliseconds. */
  readonly age: number;
}

/** A document that is kept, or a request for one, which all who want it share. */
interface Kept {
  result: Promise<Resolved>;
  /** When it ends; infinite while it is requested. */
  end: number;
  bytes: number;
  /** Set when the client changes: the result may be older than the change. */
  outdated: boolean;
}

/**
 * Clients that client ID metadata documents define. The registry fetches and checks them; a
 * response is used for as long as the registry says, and an error for a second.
 */
export class Documents {
  /** The document used least recently comes first. */
  readonly #all = new Map<string, Kept>();

  readonly #slots = new Slots(MAX_RUNNING, MAX_DOCUMENTS, 'too many client ID metadata documents are requested');

  #bytes = 0;

  #running = 0;

  /** Approved documents: when each is to be checked again, and whether the registry admitted it. The one checked least recently comes first. */
  readonly #checks = new Map<string, { next: number; admitted: boolean }>();

  constructor(private readonly transport: Transport) {}

  get kept(): number {
    return this.#all.size - this.#running;
  }

  get running(): number {
    return this.#running;
  }

  /** Returns the client of a document, and whether it changed during the request. Rejects if it cannot be known. */
  async find(id: string): Promise<{ readonly client: ClientMetadata | undefined; readonly outdated: boolean }> {
    let kept = this.#all.get(id);
    if (kept && kept.end <= performance.now()) {
      this.#remove(id);
      kept = undefined;
    }
    if (kept) {
      this.#all.delete(id);
      this.#all.set(id, kept);
    } else {
      kept = this.#request(id);
    }
    const { text } = await kept.result;
    return { client: text === undefined ? undefined : (JSON.parse(text) as ClientMetadata), outdated: kept.outdated };
  }

  /**
   * Asks the registry in the background about an approved document, at most once while it is
   * fresh, so that the registry notices a change. Returns false if the last response was that
   * the registry does not admit it. Nothing else of the response is used: a change of the
   * client is in the feed.
   */
  admits(id: string): boolean {
    const last = this.#checks.get(id) ?? { next: 0, admitted: true };
    if (last.next > performance.now() || this.#slots.busy) return last.admitted;
    const check = { next: Number.POSITIVE_INFINITY, admitted: last.admitted };
    this.#checks.delete(id);
    this.#checks.set(id, check);
    for (const oldest of this.#checks.keys()) {
      if (this.#checks.size <= MAX_DOCUMENTS) break;
      this.#checks.delete(oldest);
    }
    const finish = (admitted: boolean, age: number): void => {
      check.admitted = admitted;
      check.next = performance.now() + age;
    };
    this.#resolve(id).then(
      ({ text, age }) => { finish(text !== undefined, text === undefined ? CHECK_FAILURE : age); },
      () => { finish(check.admitted, CHECK_FAILURE); },
    );
    return check.admitted;
  }

  /** Forgets the document of a client that changed, also if it is on its way. */
  drop(id: string): void {
    const kept = this.#all.get(id);
    if (!kept) return;
    kept.outdated = true;
    this.#remove(id);
  }

  dropAll(): void {
    for (const id of [...this.#all.keys()]) this.drop(id);
  }

  #remove(id: string): void {
    this.#bytes -= this.#all.get(id)?.bytes ?? 0;
    this.#all.delete(id);
  }

  #request(id: string): Kept {
    const kept: Kept = { result: this.#resolve(id), end: Number.POSITIVE_INFINITY, bytes: 0, outdated: false };
    this.#running += 1;
    const finish = (age: number, bytes: number): void => {
      this.#running -= 1;
      if (this.#all.get(id) !== kept) return;
      kept.end = performance.now() + age;
      kept.bytes = bytes;
      this.#bytes += bytes;
      this.#evict();
    };
    // The age counts from before the request, because the registry measured it before the response.
    const began = performance.now();
    kept.result.then(({ text, age }) => { finish(age - (performance.now() - began), text?.length ?? 0); }, () => { finish(FAILURE, 0); });
    this.#all.set(id, kept);
    return kept;
  }

  /** Makes room. Requests are bounded by themselves. */
  #evict(): void {
    for (const [id, { end }] of this.#all) {
      if (this.kept <= MAX_DOCUMENTS && this.#bytes <= MAX_BYTES) break;
      if (end !== Number.POSITIVE_INFINITY) this.#remove(id);
    }
  }

  #resolve(id: string): Promise<Resolved> {
    const deadline = performance.now() + TIMEOUT;
    return this.#slots.use(TIMEOUT, () => retried(this.transport, deadline, (timeout) => this.#ask(id, timeout)));
  }

  async #ask(id: string, timeout: number): Promise<Resolved> {
    const query = { client_id: id, format: 'rfc7591' };
    try {
      return await this.transport.send('/client-metadata', { query, timeout }, async (response) => {
        const date = Date.parse(response.headers.get('date') ?? '');
        return asResolved(id, await readObject(response, MAX_RESPONSE_BYTES), Number.isNaN(date) ? Date.now() : date);
      });
    } catch (error) {
      // The registry does not admit the document, or the identifier. A response of a proxy says nothing of the kind.
      const rejects = error instanceof ResponseError && error.own && (error.status === 404 || (error.status === 400 && error.fields.length > 0));
      if (rejects) return { text: undefined, age: FAILURE };
      throw error;
    }
  }
}

/** Checks the client of a document. now is the time of the registry. */
function asResolved(id: string, { document, ...fields }: Record<string, unknown>, now: number): Resolved {
  const client = asClient({ revision: 0, ...fields });
  if (client.client_id !== id) throw new ProtocolError('the registry sent another client than that of the document');
  const until = isObject(document) && typeof document['fresh_until'] === 'string' ? Date.parse(document['fresh_until']) : Number.NaN;
  if (Number.isNaN(until)) throw new ProtocolError('the registry did not say how long the document is fresh');
  if (client.status !== 'active') return { text: undefined, age: FAILURE };
  return { text: JSON.stringify(client), age: Math.min(Math.max(until - now, MIN_AGE), MAX_AGE) };
}
