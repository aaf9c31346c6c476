// A registry that responds as a test wants it to: wrongly, late, or not at all.
import { createServer } from 'node:http';
import { openRegistry } from '../dist/index.js';

export const client = (id, revision = 1, more = {}) => ({
  client_id: id, revision, status: 'active', is_confidential: true, token_endpoint_auth_method: 'client_secret_basic',
  grant_types: ['client_credentials'], response_types: [], ...more,
});

export const change = (id, revision, more = {}, action = 'update') => ({ client_id: id, revision, action, client: client(id, revision, more) });

export const snapshot = (...clients) => [{ changes_cursor: 'c0' }, ...clients, { clients: clients.length }].map((line) => `${JSON.stringify(line)}\n`).join('');

export class FakeRegistry {
  /** The responses; a function gets the request's URL or body, and may return [status, body, headers]. */
  snapshot = () => snapshot(client('a'));

  verify = () => ({ valid: false, max_age_seconds: 0 });

  verifiers = () => failure(404);

  document = () => failure(404);

  metadata = () => failure(404);

  requests = [];

  #changes = [];

  #waiting = new Set();

  static async start(t) {
    const fake = new FakeRegistry();
    fake.t = t;
    fake.server = createServer((request, response) => { void fake.#serve(request, response); });
    await fake.listen();
    t.after(() => fake.stop());
    return fake;
  }

  async listen(port = 0) {
    await new Promise((resolve) => { this.server.listen(port, '127.0.0.1', resolve); });
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  async stop() {
    for (const wake of this.#waiting) wake();
    this.server.closeAllConnections();
    await new Promise((resolve) => { this.server.close(resolve); });
  }

  /** Opens a copy that ends with the test. Messages are in fake.messages. */
  async open(options = {}) {
    this.messages = [];
    const registry = await openRegistry({ url: this.url, token: 'token', startTimeout: 30, log: (message) => this.messages.push(message), ...options });
    this.t.after(() => registry.close());
    return registry;
  }

  /** Adds changes to the feed. */
  change(...changes) {
    this.#changes.push(...changes);
    for (const wake of this.#waiting) wake();
  }

  /** Replaces the response of the next request for changes that comes or is waiting. */
  answer(...responses) {
    this.answers = responses;
    for (const wake of this.#waiting) wake();
  }

  asked(path) {
    return this.requests.filter(({ url }) => url.includes(path)).length;
  }

  async #serve(request, response) {
    let text = '';
    for await (const chunk of request) text += chunk;
    this.requests.push({ url: request.url, headers: request.headers, text });
    const url = new URL(request.url, this.url);
    const guarded = this.authorize?.(request.headers.authorization);
    const result = guarded ?? (url.pathname.endsWith('/snapshot') ? await this.snapshot(response)
      : url.pathname.endsWith('/changes') ? await this.#follow(url)
        : url.pathname.endsWith('/secret-verifiers') ? await this.verifiers(decodeURIComponent(url.pathname.split('/').at(-2)))
          : url.pathname.endsWith('/client-metadata') ? await this.document(url.searchParams.get('client_id'), url)
            : url.pathname.endsWith('/authorization-server-metadata') ? await this.metadata()
              : await this.#verification(JSON.parse(text), url));
    if (result === undefined) return; // the function responded by itself
    const [status, body, headers] = Array.isArray(result) ? result : [200, result, {}];
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
  }

  async #verification(body, url) {
    const result = await this.verify(body.secret, url);
    return Array.isArray(result) ? result : [200, { code: 0, data: result }];
  }

  async #follow(url) {
    const after = Number(url.searchParams.get('after').slice(1));
    if (!this.answers?.length && this.#changes.length <= after && Number(url.searchParams.get('wait_seconds')) > 0) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, Number(url.searchParams.get('wait_seconds')) * 1000);
        this.#waiting.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
      this.#waiting.clear();
    }
    const answer = this.answers?.shift();
    if (answer !== undefined) return answer;
    return { code: 0, data: { changes: this.#changes.slice(after), next: `c${this.#changes.length}` } };
  }
}

export const failure = (status, message = 'failed', more = {}, headers = {}) => [status, { code: status, message, ...more }, headers];
