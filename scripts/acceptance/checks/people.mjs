import { readFileSync } from 'node:fs';
import { Browser } from '../browser.mjs';
import { must, notChecked } from '../verdicts.mjs';

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

function browserOf({ web, webCa }) {
  if (web === undefined) notChecked('no --web URL is given');
  return new Browser(web, webCa);
}

/** Where sign-in leads, and with what. */
async function authorizationOf(browser) {
  const answer = await browser.get('/auth/login');
  must(
    answer.status === 302,
    `/auth/login answered ${answer.status} instead of 302: ${answer.text.slice(0, 120)}`,
  );
  return new URL(answer.headers.location);
}

export const peopleChecks = [
  {
    criterion: 4,
    name: 'people have to sign in',
    async run({ options }) {
      const browser = browserOf(options);
      const { protocol, hostname } = new URL(options.web);
      must(protocol === 'https:' || LOOPBACK.includes(hostname), `${options.web} is not https`);
      for (const path of ['/kernel/keys', '/kernel/audit', '/kernel/upgrade', '/auth/session']) {
        const { status } = await browser.get(path, { accept: 'application/json' });
        must(status === 401, `GET ${path} without a session answered ${status} instead of 401`);
      }
      return `${options.web} answers 401 without a session`;
    },
  },
  {
    criterion: 4,
    name: 'sign-in by OpenID Connect',
    async run({ options }) {
      const browser = browserOf(options);
      const at = await authorizationOf(browser);
      const query = at.searchParams;
      must(query.get('response_type') === 'code', `response_type is ${query.get('response_type')}, not code`);
      must(query.get('code_challenge_method') === 'S256', 'there is no PKCE by S256');
      for (const name of ['code_challenge', 'state', 'nonce', 'client_id'])
        must(query.get(name), `there is no ${name}`);
      const callback = query.get('redirect_uri');
      must(callback === `${options.web}/auth/callback`, `redirect_uri is ${callback}`);
      const cookies = browser.setCookies.filter((line) => !/; *expires=Thu, 01 Jan 1970/i.test(line));
      for (const line of cookies)
        must(/; *httponly/i.test(line), `a cookie is open to scripts: ${line.split('=')[0]}`);
      let whose = 'the issuer is not compared: no --oidc-issuer is given';
      if (options.issuer !== undefined) {
        const { json } = await browser.get(`${options.issuer}/.well-known/openid-configuration`);
        must(json.issuer === options.issuer, `${options.issuer} calls itself ${json.issuer}`);
        const endpoint = at.origin + at.pathname;
        must(
          endpoint === json.authorization_endpoint,
          `sign-in leads to ${endpoint}, not to ${json.authorization_endpoint}`,
        );
        whose = `of the issuer ${options.issuer}`;
      }
      return `302 to ${at.origin}${at.pathname}, code flow, PKCE S256, state, nonce; ${whose}`;
    },
  },
  {
    criterion: 4,
    name: 'a person signs in',
    async run({ options }) {
      const browser = browserOf(options);
      if (options.person === undefined) notChecked('no --person is given');
      const password =
        options.personPasswordFile === undefined
          ? undefined
          : readFileSync(options.personPasswordFile, 'utf8').trim();
      await browser.signIn(await authorizationOf(browser), options.person, password);
      const session = await browser.get('/auth/session', { accept: 'application/json' });
      must(session.status === 200, `/auth/session answered ${session.status} after the sign-in`);
      const cookie = browser.setCookies.find((line) => /kernel-session=[^;]/.test(line)) ?? '';
      must(/; *httponly/i.test(cookie), 'the session cookie is open to scripts');
      if (options.web.startsWith('https:')) {
        must(
          /^__Host-/.test(cookie) && /; *secure/i.test(cookie),
          'the session cookie is not __Host- and Secure',
        );
      }
      const { status } = await browser.send('/kernel/audit', {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': 'application/json', origin: 'https://elsewhere.example' },
      });
      must(status === 403, `a request from another origin answered ${status} instead of 403`);
      const { principal, roles } = session.json;
      await browser.send('/auth/logout', { method: 'POST', headers: { origin: options.web } });
      const after = await browser.get('/auth/session', { accept: 'application/json' });
      must(after.status === 401, `/auth/session answered ${after.status} after signing out`);
      return `${principal} with the roles ${roles?.join(', ') || 'none'}; another origin is refused; signed out again`;
    },
  },
];
