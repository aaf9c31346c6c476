// The pages for login and consent, as plain HTML forms.

const accounts = new Map([['alice', 'password']]);

const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escape = (text) => String(text).replace(/[&<>"]/g, (character) => escapes[character]);

const page = (title, body) => `<!doctype html><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>${body}`;

const loginPage = (error) => page('Log in', `<p>${escape(error)}</p><form method="post">
<input name="username" autocomplete="username" autofocus> <input name="password" type="password" autocomplete="current-password">
<button>Log in</button></form>`);

// Anyone can publish a client ID metadata document with any name, so the user sees where it is,
// and where the browser goes next.
const origin = ({ clientId }, { redirect_uri: redirectURI }) => (/^https?:/.test(clientId)
  ? `<p>Its address is ${escape(new URL(clientId).host)}, and it continues at ${escape(new URL(redirectURI).host)}.</p>` : '');

const consentPage = (client, params) => page('Consent', `<p>${escape(client.clientName ?? client.clientId)} asks for: ${escape(params.scope)}</p>
${origin(client, params)}
<form method="post"><button>Allow</button></form>`);

async function readForm(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > 10_000) throw Object.assign(new Error('the form is too large'), { statusCode: 413 });
  }
  return new URLSearchParams(text);
}

/** Grants what the user is asked for, and returns the grant's id. */
async function grant(provider, { session, params, prompt: { details }, grantId }) {
  const granted = (grantId && await provider.Grant.find(grantId)) || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  if (details.missingOIDCScope) granted.addOIDCScope(details.missingOIDCScope.join(' '));
  if (details.missingOIDCClaims) granted.addOIDCClaims(details.missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(details.missingResourceScopes ?? {})) granted.addResourceScope(resource, scopes.join(' '));
  return granted.save();
}

/** Returns a function that serves the pages at /interaction/{uid}. */
export function interactions(provider) {
  async function serve(request, response) {
    const html = (text) => response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }).end(text);
    const interaction = await provider.interactionDetails(request, response);
    const client = await provider.Client.find(interaction.params.client_id);
    if (!client) throw Object.assign(new Error('the client is not known any more'), { statusCode: 400 });

    if (interaction.prompt.name === 'login') {
      if (request.method !== 'POST') return html(loginPage(''));
      const form = await readForm(request);
      const username = form.get('username') ?? '';
      if (!form.get('password') || accounts.get(username) !== form.get('password')) return html(loginPage('The name or the password is wrong.'));
      return provider.interactionFinished(request, response, { login: { accountId: username } }, { mergeWithLastSubmission: false });
    }
    // The registry says which clients are first-party ones, so that the user is not asked.
    if (request.method !== 'POST' && !client.skip_consent) return html(consentPage(client, interaction.params));
    const grantId = await grant(provider, interaction);
    return provider.interactionFinished(request, response, { consent: { grantId } }, { mergeWithLastSubmission: true });
  }
  return (request, response) => serve(request, response).catch((error) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) console.error(error);
    if (!response.headersSent) response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
    response.end(status >= 500 ? 'something went wrong\n' : `${error.error_description ?? error.message}\n`);
  });
}
