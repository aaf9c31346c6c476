import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Clients, asClient, isCursor, isId, type Limits } from './clients.js';
import { ProtocolError } from './errors.js';
import { lines } from './snapshot.js';
import { parseObject } from './transport.js';

const FORMAT = 'clientele-mirror/1';
const LINES_AT_ONCE = 500;
const ABANDONED_AFTER = 10 * 60 * 1000;

/** What a file belongs to and how old it is. */
export interface Header {
  /** The URL and the tenant that the clients are from. */
  readonly source: string;
  readonly cursor: string;
  /** When the registry last responded, in milliseconds since 1970. */
  readonly contact: number;
  /** Clients whose records in the registry are damaged. */
  readonly unreadable: readonly string[];
  /** Whether it has the hashes of secrets. */
  readonly verifiers: boolean;
}

/** A copy of the clients in a file: the header, one line for each client, and their number. */
export class MirrorFile {
  constructor(readonly path: string, private readonly limits: Limits) {}

  /** Reads the file; undefined if there is none. A file that is damaged or from elsewhere is an error. */
  async read(source: string, verifiers: boolean): Promise<(Header & { clients: Clients }) | undefined> {
    const info = await stat(this.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (!info) return undefined;
    if (!info.isFile()) throw new ProtocolError('it is not a regular file');
    if (info.size > 4 * this.limits.maxBytes) throw new ProtocolError('it is too large');
    const clients = new Clients(this.limits);
    let header: Record<string, unknown> | undefined;
    let count: unknown;
    for await (const line of lines(createReadStream(this.path) as AsyncIterable<Uint8Array>)) {
      if (count !== undefined) throw new ProtocolError('it continues behind its last line');
      const text = Buffer.from(line).toString();
      const value = parseObject(text);
      if (!header) header = value;
      else if (value['client_id'] !== undefined) clients.set(asClient(value), text);
      else count = value['clients'];
    }
    const { format, source: origin, cursor, contact, unreadable } = header ?? {};
    if (format !== FORMAT) throw new ProtocolError('it has another format');
    if (origin !== source) throw new ProtocolError('it is from another registry or tenant');
    if (header?.['verifiers'] !== verifiers) throw new ProtocolError(verifiers ? 'it has no hashes of secrets' : 'it has hashes of secrets, which are not wanted any more');
    if (!isCursor(cursor) || typeof contact !== 'number' || !Array.isArray(unreadable) || count !== clients.size) throw new ProtocolError('it is incomplete');
    // A clock that was set back would make the copy young.
    return { source, cursor, contact: Math.min(contact, Date.now()), unreadable: unreadable.filter(isId), verifiers, clients };
  }

  /** Replaces the file, so that a reader sees the old one or the new one, and only its owner can read it. */
  async write(header: Header, clients: Clients): Promise<void> {
    const texts = clients.texts();
    const temporary = `${this.path}.${randomBytes(6).toString('hex')}.tmp`;
    const file = await open(temporary, 'wx', 0o600);
    try {
      try {
        await file.appendFile(`${JSON.stringify({ format: FORMAT, ...header })}\n`);
        for (let i = 0; i < texts.length; i += LINES_AT_ONCE) {
          await file.appendFile(`${texts.slice(i, i + LINES_AT_ONCE).join('\n')}\n`);
        }
        await file.appendFile(`${JSON.stringify({ clients: texts.length })}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /** Removes temporary files that a process left when it was killed. */
  async clean(): Promise<void> {
    const directory = dirname(this.path);
    const name = basename(this.path);
    for (const entry of await readdir(directory)) {
      if (!entry.startsWith(`${name}.`) || !/^\.[0-9a-f]{12}\.tmp$/.test(entry.slice(name.length))) continue;
      const path = join(directory, entry);
      const info = await stat(path).catch(() => undefined);
      if (info && Date.now() - info.mtimeMs > ABANDONED_AFTER) await rm(path, { force: true });
    }
  }
}
