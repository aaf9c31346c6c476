// A store in memory for sessions, grants and tokens, of limited size: for examples and tests.

const MAX_ENTRIES = 10_000;
const entries = new Map();

const read = (key) => {
  const entry = entries.get(key);
  if (entry && entry.end <= Date.now()) entries.delete(key);
  return entry && entry.end > Date.now() ? entry.payload : undefined;
};

export class MemoryAdapter {
  constructor(name) {
    this.name = name;
  }

  #find(matches) {
    for (const key of entries.keys()) {
      const payload = key.startsWith(`${this.name}:`) ? read(key) : undefined;
      if (payload && matches(payload)) return payload;
    }
    return undefined;
  }

  async upsert(id, payload, seconds) {
    const key = `${this.name}:${id}`;
    entries.delete(key);
    entries.set(key, { payload, end: seconds ? Date.now() + seconds * 1000 : Infinity });
    if (entries.size > MAX_ENTRIES) entries.delete(entries.keys().next().value);
  }

  async find(id) {
    return read(`${this.name}:${id}`);
  }

  async findByUid(uid) {
    return this.#find((payload) => payload.uid === uid);
  }

  async findByUserCode(userCode) {
    return this.#find((payload) => payload.userCode === userCode);
  }

  async consume(id) {
    read(`${this.name}:${id}`).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    entries.delete(`${this.name}:${id}`);
  }

  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of entries) if (payload.grantId === grantId) entries.delete(key);
  }
}
