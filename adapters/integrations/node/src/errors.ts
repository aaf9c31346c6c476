/**
 * The registry is unavailable, so that something is unknown: whether a secret is right, or
 * what a client looks like. It never means that a secret is wrong or a client unknown.
 */
export class RegistryUnavailableError extends Error {
  override name = 'RegistryUnavailableError';

  /** Seconds after which a retry may succeed, if the registry named them. */
  readonly retryAfter: number | undefined;

  constructor(message: string, options: { cause?: unknown; retryAfter?: number | undefined } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.retryAfter = options.retryAfter;
  }
}

/** The copy of the clients is older than `maxStaleness`, or there is none yet. */
export class StaleError extends RegistryUnavailableError {
  override name = 'StaleError';
}

/** A response of the registry is not what its API promises. */
export class ProtocolError extends RegistryUnavailableError {
  override name = 'ProtocolError';
}

/** The registry rejected a request. */
export class ResponseError extends RegistryUnavailableError {
  override name = 'ResponseError';

  constructor(
    message: string,
    /** The HTTP status. */
    readonly status: number,
    /** Whether the body is an error of the registry, rather than of a proxy before it. */
    readonly own: boolean,
    /** The fields that the registry complains about. */
    readonly fields: readonly string[],
    retryAfter?: number,
  ) {
    super(message, { retryAfter });
  }
}

/** Returns the text of an error, with the reason of a failed fetch, which is its cause. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  const reason = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : undefined;
  return reason && !error.message.includes(reason) ? `${error.message}: ${reason}` : error.message;
}
