import { Clients, asClient, isCursor, isId, type Limits } from './clients.js';
import { ProtocolError } from './errors.js';
import { parseObject } from './transport.js';

/** A client has at most about 200 KiB; the line of unreadable clients can be longer. */
const MAX_LINE_BYTES = 4 * 1024 * 1024;

/** Splits bytes into lines of limited length. Text behind the last line break is an error: it was cut off. */
export async function* lines(parts: AsyncIterable<Uint8Array>, limit = MAX_LINE_BYTES): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array[] = [];
  let size = 0;
  const take = (part: Uint8Array): void => {
    size += part.length;
    if (size > limit) throw new ProtocolError(`a line is longer than ${limit} bytes`);
    if (part.length) rest.push(part);
  };
  for await (const part of parts) {
    let start = 0;
    for (let end = part.indexOf(10); end >= 0; end = part.indexOf(10, start)) {
      take(part.subarray(start, end));
      yield Buffer.concat(rest);
      rest = [];
      size = 0;
      start = end + 1;
    }
    take(part.subarray(start));
  }
  if (size) throw new ProtocolError('the last line is incomplete');
}

/** A complete snapshot. */
export interface Snapshot {
  readonly cursor: string;
  readonly clients: Clients;
  /** Clients whose records in the registry are damaged. */
  readonly unreadable: Set<string>;
}

/**
 * Reads a snapshot: a line with the cursor, one for each client, and a line with their
 * number, without which it is incomplete.
 */
export async function readSnapshot(source: AsyncIterable<Uint8Array>, limits: Limits): Promise<Snapshot> {
  const clients = new Clients(limits);
  const unreadable = new Set<string>();
  let cursor: unknown;
  let count = 0;
  let end: unknown;
  for await (const line of lines(source)) {
    if (end !== undefined) throw new ProtocolError('a snapshot continues behind its last line');
    const value = parseObject(line);
    if (cursor === undefined) {
      cursor = value['changes_cursor'];
      if (!isCursor(cursor)) throw new ProtocolError('a snapshot does not begin with a cursor');
    } else if (value['client_id'] !== undefined) {
      const client = asClient(value);
      if (clients.has(client.client_id)) throw new ProtocolError('a snapshot has a client twice');
      clients.set(client, Buffer.from(line.buffer, line.byteOffset, line.length).toString());
      count += 1;
    } else if (Array.isArray(value['unreadable'])) {
      for (const id of value['unreadable']) if (isId(id) && unreadable.size < limits.maxClients) unreadable.add(id);
    } else if (value['clients'] !== undefined) {
      end = value['clients'];
    } else {
      throw new ProtocolError('a snapshot has a line of an unknown kind');
    }
  }
  if (end !== count) throw new ProtocolError('a snapshot is incomplete');
  return { cursor: cursor as string, clients, unreadable };
}
