import { createHmac, randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { ProtocolError, RegistryUnavailableError, ResponseError } from './errors.js';
import { Slots, retried } from './requests.js';
import { isObject, readObject, type Transport } from './transport.js';

const MAX_CACHED = 10_000;
const MAX_CACHED_PER_CLIENT = 32;
const MAX_ASKING = 64;
const MAX_ASKING_PER_CLIENT = 16;
const MAX_WAITING = 2_000;
const MAX_RESPONSE_BYTES = 64 * 1024;
const MAX_AGE_SECONDS = 3_600;
const ATTEMPTS = 3;

/** A request to the registry, which all who have the same value share. */
interface Asking {
  readonly result: Promise<boolean>;
  /** Set when the client changes: the result may be older than the change. */
  outdated: boolean;
}

/**
 * Verifies secrets with the registry. It keeps positive results for as long as the registry
 * allows, under a keyed hash of the value, until the client changes. Negative results are
 * not kept.
 */
export class Verifications {
  readonly #key = randomBytes(32);

  /** When the results end, by client and hash of the value. The client used least recently comes first. */
  readonly #cache = new Map<string, Map<string, number>>();

  readonly #asking = new Map<string, Map<string, Asking>>();

  readonly #slots = new Slots(MAX_ASKING, MAX_WAITING, 'too many secrets are being verified');

  #cached = 0;

  constructor(
    private readonly transport: Transport,
    private readonly timeout: number,
  ) {}

  get cached(): number {
    return this.#cached;
  }

  get asking(): number {
    let count = 0;
    for (const values of this.#asking.values()) count += values.size;
    return count;
  }

  /** Reports whether the value is a secret of the client. Rejects if it cannot be known. */
  async verify(id: string, secret: string): Promise<boolean> {
    const key = createHmac('sha256', this.#key).update(`${id.length}:${id}${secret}`).digest('base64');
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      if (this.#known(id, key)) return true;
      const asking = this.#join(id, key, secret);
      const valid = await asking.result;
      // A value may have been valid before the change only.
      if (!valid || !asking.outdated) return valid;
    }
    throw new RegistryUnavailableError('the secret cannot be verified, because the client changed during every attempt');
  }

  /** Forgets the results for a client that changed, also those that are on their way. */
  drop(id: string): void {
    this.#cached -= this.#cache.get(id)?.size ?? 0;
    this.#cache.delete(id);
    for (const asking of this.#asking.get(id)?.values() ?? []) asking.outdated = true;
    this.#asking.delete(id);
  }

  dropAll(): void {
    for (const id of [...this.#cache.keys(), ...this.#asking.keys()]) this.drop(id);
  }

  #known(id: string, key: string): boolean {
    const values = this.#cache.get(id);
    const end = values?.get(key);
    if (!values || end === undefined) return false;
    if (end <= performance.now()) {
      values.delete(key);
      this.#cached -= 1;
      if (!values.size) this.#cache.delete(id);
      return false;
    }
    this.#cache.delete(id);
    this.#cache.set(id, values);
    return true;
  }

  #keep(id: string, key: string, end: number): void {
    const values = this.#cache.get(id) ?? new Map<string, number>();
    if (!values.has(key)) this.#cached += 1;
    values.set(key, end);
    this.#cache.set(id, values);
    for (const oldest of values.keys()) {
      if (values.size <= MAX_CACHED_PER_CLIENT) break;
      values.delete(oldest);
      this.#cached -= 1;
    }
    for (const [oldest, ends] of this.#cache) {
      if (this.#cached <= MAX_CACHED) break;
      this.#cached -= ends.size;
      this.#cache.delete(oldest);
    }
  }

  #join(id: string, key: string, secret: string): Asking {
    const values = this.#asking.get(id) ?? new Map<string, Asking>();
    const running = values.get(key);
    if (running) return running;
    if (values.size >= MAX_ASKING_PER_CLIENT) {
      throw new RegistryUnavailableError('too many values are tried for the client at once', { retryAfter: 1 });
    }
    const asking: Asking = {
      outdated: false,
      result: this.#ask(id, secret).then(({ valid, end }) => {
        if (valid && !asking.outdated) this.#keep(id, key, end);
        return valid;
      }).finally(() => {
        if (values.get(key) !== asking) return;
        values.delete(key);
        if (!values.size && this.#asking.get(id) === values) this.#asking.delete(id);
      }),
    };
    values.set(key, asking);
    this.#asking.set(id, values);
    return asking;
  }

  async #ask(id: string, secret: string): Promise<{ valid: boolean; end: number }> {
    const deadline = performance.now() + this.timeout;
    return this.#slots.use(this.timeout, () => retried(this.transport, deadline, async (timeout) => {
      const began = performance.now();
      const { valid, maxAge } = await this.#request(id, secret, timeout);
      // The age counts from before the request, because the registry measured it before the response.
      return { valid, end: began + maxAge * 1000 };
    }));
  }

  async #request(id: string, secret: string, timeout: number): Promise<{ valid: boolean; maxAge: number }> {
    const path = `/clients/${encodeURIComponent(id)}/verify-secret`;
    let body: Record<string, unknown>;
    try {
      body = await this.transport.send(path, { method: 'POST', body: { secret }, timeout }, (response) => readObject(response, MAX_RESPONSE_BYTES));
    } catch (error) {
      // The client was deleted. A 404 of a proxy says nothing of the kind.
      if (error instanceof ResponseError && error.status === 404 && error.own) return { valid: false, maxAge: 0 };
      throw error;
    }
    const { data } = body;
    if (!isObject(data) || typeof data['valid'] !== 'boolean') throw new ProtocolError('the registry did not say whether the secret is valid');
    const maxAge = data['max_age_seconds'];
    return { valid: data['valid'], maxAge: typeof maxAge === 'number' && maxAge > 0 ? Math.min(maxAge, MAX_AGE_SECONDS) : 0 };
  }
}
