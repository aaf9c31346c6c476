import { performance } from 'node:perf_hooks';
import { isObject, readObject, type Transport } from './transport.js';

/** Members of the metadata of an authorization server about registration (RFC 8414, RFC 7591). */
export interface ServerMetadata {
  registration_endpoint?: string;
  client_id_metadata_document_supported?: true;
}

const MAX_RESPONSE_BYTES = 256 * 1024;
/** Milliseconds for a response: discovery works without it. */
const TIMEOUT = 2_000;
/** Milliseconds for which a response is used, and after which a failed request is repeated. */
const AGE = 60_000;
const FAILURE = 5_000;

/** What the authorization server should publish about registration, read from the registry. */
export class ServerMetadataCache {
  #known: ServerMetadata = {};

  #end = Number.NEGATIVE_INFINITY;

  #asking: Promise<void> | undefined;

  constructor(private readonly transport: Transport, private readonly documents: boolean) {}

  async get(): Promise<ServerMetadata> {
    if (performance.now() >= this.#end) {
      this.#asking ??= this.#ask().finally(() => { this.#asking = undefined; });
      await this.#asking;
    }
    return { ...this.#known };
  }

  async #ask(): Promise<void> {
    try {
      const { data } = await this.transport.send('/authorization-server-metadata', { timeout: TIMEOUT }, (response) => readObject(response, MAX_RESPONSE_BYTES));
      const known: ServerMetadata = {};
      const endpoint = isObject(data) ? data['registration_endpoint'] : undefined;
      if (typeof endpoint === 'string' && endpoint) known.registration_endpoint = endpoint;
      if (this.documents && isObject(data) && data['client_id_metadata_document_supported'] === true) known.client_id_metadata_document_supported = true;
      this.#known = known;
      this.#end = performance.now() + AGE;
    } catch {
      this.#end = performance.now() + FAILURE;
    }
  }
}
