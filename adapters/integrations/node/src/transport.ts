import { open } from 'node:fs/promises';
import { ProtocolError, RegistryUnavailableError, ResponseError, describe } from './errors.js';

/**
 * The access token for the registry: the token, a file that has it, or a function that
 * returns it. The file is read, and the function called, for each request. If the registry
 * rejects a token, the function is called again with it, and a different token is tried at
 * once.
 */
export type Token = string | { readonly file: string } | ((rejected?: string) => string | Promise<string>);

const MAX_TOKEN_BYTES = 64 * 1024;
const MAX_ERROR_BYTES = 256 * 1024;

async function readToken(source: Token, rejected?: string): Promise<string> {
  let token: unknown;
  try {
    if (typeof source === 'string') token = source;
    else if (typeof source === 'function') token = await source(rejected);
    else token = await readSmallFile(source.file);
  } catch (error) {
    throw new RegistryUnavailableError(`there is no token for the registry: ${describe(error)}`, { cause: error });
  }
  const text = typeof token === 'string' ? token.trim() : '';
  if (!/^[\x21-\x7e]+$/.test(text)) throw new RegistryUnavailableError('the token for the registry is empty, or no token');
  return text;
}

async function readSmallFile(path: string): Promise<string> {
  const file = await open(path);
  try {
    const buffer = Buffer.alloc(MAX_TOKEN_BYTES);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await file.close();
  }
}

export interface Request {
  readonly method?: 'GET' | 'POST';
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Milliseconds for the response and its body. */
  readonly timeout: number;
}

/** Sends requests to the registry. */
export class Transport {
  readonly #root: string;

  readonly #headers: Record<string, string>;

  readonly #running = new Set<AbortController>();

  #closed = false;

  constructor(url: string, private readonly token: Token, tenant?: string) {
    const root = URL.canParse(url) ? new URL(url) : undefined;
    if (!root || !/^https?:$/.test(root.protocol)) throw new TypeError('url must be the http or https URL of the registry');
    if (root.username || root.password || root.search || root.hash) throw new TypeError('url must have no credentials, query or fragment');
    this.#root = `${root.href.replace(/\/+$/, '')}/admin/oauth`;
    this.#headers = tenant === undefined ? {} : { 'x-tenant-id': tenant };
  }

  /**
   * Sends a request below /admin/oauth and reads the response with status 200. Every other
   * one is a {@link ResponseError}, and a connection that fails a {@link RegistryUnavailableError}.
   */
  async send<Result>(path: string, request: Request, read: (response: Response) => Promise<Result>): Promise<Result> {
    if (this.#closed) throw new RegistryUnavailableError('the connection to the registry is closed');
    const running = new AbortController();
    const timer = setTimeout(() => { running.abort(new Error('it took too long')); }, request.timeout);
    this.#running.add(running);
    try {
      const token = await readToken(this.token);
      let response = await this.#fetch(path, request, token, running.signal);
      if (response.status === 401) {
        const renewed = await readToken(this.token, token);
        if (renewed !== token) {
          await response.body?.cancel();
          response = await this.#fetch(path, request, renewed, running.signal);
        }
      }
      if (response.status !== 200) throw await rejection(response);
      return await read(response);
    } finally {
      clearTimeout(timer);
      this.#running.delete(running);
    }
  }

  /** Ends all requests; further ones fail. */
  close(): void {
    this.#closed = true;
    for (const running of this.#running) running.abort(new Error('the connection to the registry is closed'));
  }

  get closed(): boolean {
    return this.#closed;
  }

  async #fetch(path: string, { method = 'GET', query, body }: Request, token: string, signal: AbortSignal): Promise<Response> {
    const url = `${this.#root}${path}${query ? `?${new URLSearchParams(query)}` : ''}`;
    const headers: Record<string, string> = { ...this.#headers, authorization: `Bearer ${token}` };
    if (body !== undefined) headers['content-type'] = 'application/json';
    try {
      // A redirect could send the token elsewhere.
      return await fetch(url, { method, headers, signal, redirect: 'error', ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    } catch (error) {
      throw new RegistryUnavailableError(`the registry cannot be reached: ${describe(error)}`, { cause: error });
    }
  }
}

/** Yields the chunks of a body, and fails if it breaks off or is larger than the limit. */
export async function* chunks(response: Response, limit: number): AsyncGenerator<Uint8Array> {
  if (!response.body) return;
  let size = 0;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw new RegistryUnavailableError(`the response of the registry broke off: ${describe(error)}`, { cause: error });
      });
      if (done) return;
      size += value.length;
      if (size > limit) throw new ProtocolError(`a response of the registry is larger than ${limit} bytes`);
      yield value;
    }
  } finally {
    // Ends the connection if the body was not read to its end.
    await reader.cancel().catch(() => undefined);
  }
}

/** Reads a JSON object of limited size. */
export async function readObject(response: Response, limit: number): Promise<Record<string, unknown>> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks(response, limit)) parts.push(chunk);
  return parseObject(Buffer.concat(parts));
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Decodes the JSON text of an object. */
export function parseObject(text: Uint8Array | string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(typeof text === 'string' ? text : utf8.decode(text));
  } catch (error) {
    throw new ProtocolError('a response of the registry is not JSON', { cause: error });
  }
  if (!isObject(value)) throw new ProtocolError('a response of the registry is not a JSON object');
  return value;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function rejection(response: Response): Promise<ResponseError> {
  const { status } = response;
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
  let message = '';
  let own = false;
  let fields: string[] = [];
  try {
    const body = await readObject(response, MAX_ERROR_BYTES);
    own = body['code'] === status && typeof body['message'] === 'string';
    if (own) message = String(body['message']).slice(0, 500);
    const violations = Array.isArray(body['violations']) ? body['violations'] : [];
    fields = violations.slice(0, 100).map((violation) => (isObject(violation) ? String(violation['field']) : ''));
  } catch {
    // The body is that of a proxy, or incomplete. The status remains.
  }
  return new ResponseError(
    `the registry responded with ${status}${message && `: ${message}`}`,
    status,
    own,
    fields,
    Number.isFinite(retryAfter) && retryAfter >= 0 ? Math.min(retryAfter, 86_400) : undefined,
  );
}
