import { asChange, isCursor, type Change, type Clients } from './clients.js';
import { ProtocolError, RegistryUnavailableError, ResponseError } from './errors.js';
import { isObject, readObject, type Transport } from './transport.js';

/** The form of clients in responses of the registry. */
export const FORM = { format: 'rfc7591', effective: 'true' };
/** The milliseconds for a response of the registry, in addition to the time that it may wait. */
export const RESPONSE_TIME = 10_000;
const CHANGES_LIMIT = 500;
const MAX_CHANGES_BYTES = 32 * 1024 * 1024;
const MIN_BACKOFF = 100;
/** A connection costs little, so that the registry is found soon after it is back. */
const MAX_BACKOFF = 500;
/** A snapshot costs much, and a registry that breaks its contract does not stop at once. */
const MAX_EXPENSIVE_BACKOFF = 30_000;

/** The cursor is not in the history of the registry, so that the clients are read again. */
export class LostCursorError extends RegistryUnavailableError {}

/** A part of the feed: the changes after a cursor, and the cursor after them. */
export interface Batch {
  readonly changes: Change[];
  readonly next: string;
  /** Seconds for which the registry holds changes back. */
  readonly heldBack: number;
}

/** Reads the changes after a cursor. If there are none, the registry waits so many seconds for one. */
export async function readChanges(transport: Transport, after: string, wait: number): Promise<Batch> {
  const query = { ...FORM, after, limit: String(CHANGES_LIMIT), wait_seconds: String(wait) };
  let body: Record<string, unknown>;
  try {
    body = await transport.send('/changes', { query, timeout: wait * 1000 + RESPONSE_TIME }, (response) => readObject(response, MAX_CHANGES_BYTES));
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

/** Applies a change, unless the copy is newer, and reports whether it did. */
export function apply(clients: Clients, change: Change): boolean {
  const known = clients.revision(change.clientId);
  // A client is purged after its last revision, so that both have the same number.
  if (known !== undefined && change.revision <= known && change.action !== 'purge') return false;
  if (change.removes) return clients.delete(change.clientId);
  if (!change.client) return false;
  clients.change(change.client, change.action);
  return true;
}

/** Returns the milliseconds to wait after so many failures, at random, so that servers do not come back in step. */
export function backoff(failures: number, error: unknown, expensive: boolean): number {
  const limit = error instanceof ProtocolError || (expensive && error instanceof ResponseError) ? MAX_EXPENSIVE_BACKOFF : MAX_BACKOFF;
  const longest = Math.min(limit, MIN_BACKOFF * 2 ** Math.min(failures, 20));
  const asked = error instanceof RegistryUnavailableError ? (error.retryAfter ?? 0) * 1000 : 0;
  return Math.max(longest * (0.5 + Math.random() / 2), Math.min(asked, 60_000));
}
