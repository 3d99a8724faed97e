import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { exchange } from './exchange.mjs';
import { must } from './verdicts.mjs';

/** Somebody with a client certificate, or `null` without one, at the service API. */
export class Caller {
  constructor({ url, ca, serverName }, identity) {
    this.url = url;
    this.agent = new https.Agent({
      keepAlive: true,
      minVersion: 'TLSv1.2',
      ...(ca !== undefined && { ca: readFileSync(ca) }),
      ...(serverName !== undefined && { servername: serverName }),
      ...(identity !== null && { cert: readFileSync(identity.cert), key: readFileSync(identity.key) }),
    });
  }

  get(path, options = {}) {
    return exchange(`${this.url}${path}`, { agent: this.agent, ...options });
  }

  post(path, json, { headers, ...options } = {}) {
    return exchange(`${this.url}${path}`, {
      agent: this.agent,
      method: 'POST',
      body: JSON.stringify(json),
      headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID(), ...headers },
      ...options,
    });
  }

  close() {
    this.agent.destroy();
  }
}

/** The callers that are given; undefined for the others. */
export function callersOf(options) {
  return Object.fromEntries(
    Object.entries(options.roles).map(([role, identity]) => [
      role,
      identity && new Caller(options, identity),
    ]),
  );
}

/** Holds the status of an answer. A problem document of the kernel says in `detail` what was wrong. */
export function expectStatus(answer, status, what) {
  if (answer.status === status) return answer;
  let said = answer.text.slice(0, 120);
  try {
    const { error, detail } = answer.json;
    if (error !== undefined) said = `${error}: ${detail ?? ''}`;
  } catch {
    // The beginning of the text has to do.
  }
  must(false, `${what} answered ${answer.status} instead of ${status}: ${said}`);
}
