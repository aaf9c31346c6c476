import type { Token } from './transport.js';

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

/** Returns an option that must be a positive number. */
export function positive<Name extends 'maxClients' | 'maxBytes' | 'verifyTimeout' | 'startTimeout'>(options: RegistryOptions, name: Name, standard: number): number {
  const value = options[name] ?? standard;
  if (typeof value !== 'number' || !(value > 0)) throw new TypeError(`${name} must be a positive number`);
  return value;
}
