import { readFileSync } from 'node:fs';
import https from 'node:https';
import { rootCertificates } from 'node:tls';
import { exchange } from './exchange.mjs';
import { must } from './verdicts.mjs';

const MOST_STEPS = 15;
/** Name and password may be on pages of their own. More would be guessing, and lock the account. */
const MOST_FORMS = 2;
const NAME_FIELD = /^(user|username|login|email|identifier|sub)$/i;

/** A browser as far as sign-in is concerned: cookies by host, forms without scripts, and no redirect that nobody asked for. */
export class Browser {
  constructor(origin, ca) {
    this.origin = origin;
    this.jars = new Map();
    /** Every Set-Cookie line of the kernel. */
    this.setCookies = [];
    this.agent = new https.Agent({
      ...(ca !== undefined && { ca: [readFileSync(ca), ...rootCertificates] }),
    });
  }

  get(url, headers = {}) {
    return this.send(url, { headers });
  }

  async send(url, { headers, ...options } = {}) {
    const { href, host, protocol } = new URL(url, this.origin);
    const jar = this.jars.get(host) ?? new Map();
    this.jars.set(host, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await exchange(href, {
      ...options,
      headers: { accept: 'text/html', ...headers, ...(cookie !== '' && { cookie }) },
      ...(protocol === 'https:' && { agent: this.agent }),
    });
    for (const line of answer.headers['set-cookie'] ?? []) {
      if (host === new URL(this.origin).host) this.setCookies.push(line);
      const [pair] = line.split(';');
      const mark = pair.indexOf('=');
      const [name, value] = [pair.slice(0, mark), pair.slice(mark + 1)];
      if (value === '') jar.delete(name);
      else jar.set(name, value);
    }
    return answer;
  }

  /** Goes from the provider's page to the end of the sign-in, filling in its forms. */
  async signIn(authorization, person, password) {
    let next = { url: authorization };
    let forms = 0;
    for (let step = 0; step < MOST_STEPS; step += 1) {
      const { url, ...options } = next;
      const answer = await this.send(url.href, options);
      if (answer.headers.location !== undefined) {
        const to = new URL(answer.headers.location, url);
        const isOver = url.origin === this.origin && url.pathname === '/auth/callback';
        if (isOver) return;
        next = { url: to };
        continue;
      }
      must(answer.status === 200, `${url.origin}${url.pathname} answered ${answer.status} to ${person}`);
      forms += 1;
      must(forms <= MOST_FORMS, `${url.origin} asks ${person} again: wrong name or password?`);
      next = filled(answer.text, url, person, password);
    }
    must(false, `the sign-in of ${person} did not end after ${MOST_STEPS} steps`);
  }
}

function attributesOf(tag) {
  const found = {};
  for (const [, name, , , double, single, bare] of tag.matchAll(
    /([\w-]+)(=("([^"]*)"|'([^']*)'|([^\s>]+)))?/g,
  )) {
    found[name.toLowerCase()] = unescaped(double ?? single ?? bare ?? '');
  }
  return found;
}

function unescaped(text) {
  const names = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#x27': "'" };
  return text.replaceAll(/&([a-z]+|#\w+);/g, (whole, name) => names[name] ?? whole);
}

/** The first form that asks for a person: by a button with their name, or by name and password. */
function filled(page, url, person, password) {
  for (const [, head, content] of page.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)) {
    const fields = new URLSearchParams();
    let isFor = false;
    for (const [, kind, tag] of content.matchAll(/<(input|button)\b([^>]*)>/gi)) {
      const {
        name,
        value = '',
        type = kind.toLowerCase() === 'button' ? 'submit' : 'text',
      } = attributesOf(tag);
      if (name === undefined) continue;
      if (type === 'hidden') fields.set(name, value);
      else if (type === 'submit' && value === person) {
        fields.set(name, value);
        isFor = true;
      } else if (type === 'password' && password !== undefined) {
        fields.set(name, password);
        isFor = true;
      } else if (['text', 'email'].includes(type) && NAME_FIELD.test(name)) {
        fields.set(name, person);
        isFor = password !== undefined;
      }
    }
    if (!isFor) continue;
    const action = new URL(attributesOf(head).action || url.href, url);
    return {
      url: action,
      method: 'POST',
      body: fields.toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: action.origin },
    };
  }
  must(
    false,
    `${url.origin}${url.pathname} has no form for ${person}: a button with that name, or a name and a password`,
  );
}
