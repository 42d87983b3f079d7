// One OpenID provider on a loopback port: node server.mjs CONFIGURATION.json
//
// The protocol is all oidc-provider's. Ours are the people, the sign-in form and the answer that consent is given,
// as an enterprise gives it once for all of its employees.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import { Provider, interactionPolicy } from 'oidc-provider';

const configuration = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { port, issuer, client, clientMetadata, claimsInIdToken, people, jwks, cookieKey } = configuration;
const accounts = new Map(people.map((person) => [person.uid, person]));

const policy = interactionPolicy.base();
policy.remove('consent');

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: client.client_id,
      client_secret: client.client_secret,
      redirect_uris: [client.redirect_uri],
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['authorization_code'],
      response_types: ['code'],
      backchannel_logout_uri: client.redirect_uri.replace(/callback$/, 'backchannel-logout'),
      backchannel_logout_session_required: true,
      post_logout_redirect_uris: [new URL('/signed-out', client.redirect_uri).href],
      ...clientMetadata,
    },
  ],
  jwks,
  cookies: { keys: [cookieKey] },
  pkce: { required: () => true },
  scopes: ['openid', 'email', 'profile', 'groups'],
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'preferred_username'],
    groups: ['groups', 'department'],
  },
  conformIdTokenClaims: !claimsInIdToken,
  features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true }, encryption: { enabled: true } },
  // Without its own dispatcher, which refuses to call a loopback address.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  interactions: { policy, url: (_context, interaction) => `/sign-in/${interaction.uid}` },
  ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 3600, IdToken: 600, Interaction: 600, Session: 3600 },
  findAccount: (_context, uid) => accounts.has(uid) && { accountId: uid, claims: () => claimsOf(accounts.get(uid)) },
  loadExistingGrant: async ({ oidc }) => {
    const grant = new oidc.provider.Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId });
    grant.addOIDCScope([...oidc.requestParamScopes].join(' '));
    await grant.save();
    return grant;
  },
});

function claimsOf(person) {
  return {
    sub: person.uid,
    name: person.name,
    preferred_username: person.uid,
    email: person.mail,
    email_verified: true,
    groups: person.groups,
    department: person.department,
  };
}

function signInPage(message) {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Sign in</title>
<h1>Sign in</h1>
<p role="alert">${message}</p>
<form method="post">
  <label>Name <input name="login" autocomplete="username" required autofocus></label>
  <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
  <button>Sign in</button>
</form>
</html>`;
}

function answer(response, status, page) {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  response.end(page);
}

async function readForm(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}

async function signIn(request, response) {
  await provider.interactionDetails(request, response);
  if (request.method !== 'POST') {
    return answer(response, 200, signInPage(''));
  }
  const form = await readForm(request);
  const person = accounts.get(form.get('login'));
  if (person?.password !== form.get('password')) {
    return answer(response, 401, signInPage('Name or password is wrong.'));
  }
  return provider.interactionFinished(request, response, { login: { accountId: person.uid, amr: ['pwd'] } });
}

provider.on('pushed_authorization_request.error', (_context, error) => console.error(error.error_description));
provider.on('server_error', (_context, error) => console.error(error));

const protocol = provider.callback();
createServer((request, response) => {
  if (!request.url.startsWith('/sign-in/')) {
    return protocol(request, response);
  }
  return signIn(request, response).catch((error) => answer(response, 400, signInPage(error.name)));
}).listen(port, '127.0.0.1');
