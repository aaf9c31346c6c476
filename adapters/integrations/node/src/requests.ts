import { performance } from 'node:perf_hooks';
import { RegistryUnavailableError, ResponseError } from './errors.js';
import type { Transport } from './transport.js';

const ATTEMPTS = 3;

/** Calls the function up to three times before the deadline, if another attempt may help. It gets the milliseconds that are left. */
export async function retried<Result>(transport: Transport, deadline: number, call: (timeout: number) => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call(Math.max(1, deadline - performance.now()));
    } catch (error) {
      const delay = attempt < ATTEMPTS && !transport.closed ? retryDelay(error, attempt) : undefined;
      if (delay === undefined || performance.now() + delay >= deadline) throw error;
      await new Promise((resolve) => { setTimeout(resolve, delay); });
    }
  }
}

/** Returns the milliseconds after which to try again, or undefined where that would not help. */
function retryDelay(error: unknown, attempt: number): number | undefined {
  if (!(error instanceof ResponseError)) return attempt * 50; // a connection that the registry closed, for example
  if (error.status === 429) return (error.retryAfter ?? 1) * 1000;
  return error.status >= 500 ? attempt * 100 : undefined;
}

/** A limited number of places, and of callers who wait for one. */
export class Slots {
  #free: number;

  readonly #waiting = new Set<() => void>();

  constructor(places: number, private readonly maxWaiting: number, private readonly message: string) {
    this.#free = places;
  }

  /** Whether there is no place at the moment. */
  get busy(): boolean {
    return this.#free === 0;
  }

  /** Calls the function when there is a place, or rejects if there is none within the milliseconds. */
  async use<Result>(timeout: number, call: () => Promise<Result>): Promise<Result> {
    await this.#enter(timeout);
    try {
      return await call();
    } finally {
      this.#leave();
    }
  }

  async #enter(timeout: number): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    const busy = (): RegistryUnavailableError => new RegistryUnavailableError(this.message, { retryAfter: 1 });
    if (this.#waiting.size >= this.maxWaiting) throw busy();
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(proceed);
        reject(busy());
      }, timeout);
      const proceed = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.add(proceed);
    });
  }

  /** Gives the place to the caller who waits longest. */
  #leave(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
