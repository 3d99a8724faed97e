import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { type Answer, type Endpoint } from '../facts';
import { reasonOf } from './bounded';
import { parseMetrics } from './metrics-text';

export interface NamedUrl {
  readonly name: string;
  /** Management address: http://HOST:PORT */
  readonly url: string;
}

const ANSWER_TIMEOUT_MS = 4_000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** Between two looks at the same counters. */
const BETWEEN_MS = 1_000;
/** Processes at once: a deployment may have dozens. */
const AT_ONCE = 16;

/** Asks each process how it is. Never throws: a process that does not answer is what is looked for. */
export async function endpointsAt(places: readonly NamedUrl[]): Promise<Endpoint[]> {
  const endpoints: Endpoint[] = [];
  for (let at = 0; at < places.length; at += AT_ONCE) {
    endpoints.push(...(await Promise.all(places.slice(at, at + AT_ONCE).map(endpointAt))));
  }
  return endpoints;
}

async function endpointAt({ name, url }: NamedUrl): Promise<Endpoint> {
  const [health, ready, first] = await Promise.all([
    answerOf(`${url}/health`),
    answerOf(`${url}/ready`),
    answerOf(`${url}/metrics`),
  ]);
  if (health.status === 0 && first.status === 0) {
    return { name, url, health, ready, failing: {}, metrics: null, earlier: null };
  }
  await delay(BETWEEN_MS);
  const second = await answerOf(`${url}/metrics`);
  return {
    ...{ name, url, health, ready },
    failing: failingChecks(ready),
    metrics: second.status === 200 ? parseMetrics(second.text) : null,
    earlier: first.status === 200 ? parseMetrics(first.text) : null,
  };
}

/** GET, bounded in time and size; status 0 with the reason when nothing answers. */
export async function answerOf(
  url: string,
  { timeoutMs = ANSWER_TIMEOUT_MS, ca }: { timeoutMs?: number; ca?: string } = {},
): Promise<Answer> {
  const sent = Date.now();
  return await new Promise((resolve) => {
    const failed = (error: unknown) => resolve({ status: 0, text: reasonOf(error) });
    const options = { agent: false, signal: AbortSignal.timeout(timeoutMs) };
    try {
      const request = url.startsWith('https:')
        ? httpsRequest(url, { ...options, ...(ca === undefined ? {} : { ca }) })
        : httpRequest(url, options);
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        const here = (sent + Date.now()) / 2;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_ANSWER_BYTES) request.destroy(new Error('the answer is too large'));
          else chunks.push(chunk);
        });
        response.on('error', failed);
        response.on('end', () => {
          const there = Date.parse(response.headers.date ?? '');
          resolve({
            status: response.statusCode ?? 0,
            text: Buffer.concat(chunks).toString('utf8'),
            ...(Number.isNaN(there) ? {} : { clock: { there, here } }),
          });
        });
      });
      request.on('error', (error) =>
        failed(error.name === 'AbortError' ? new Error(`no answer within ${timeoutMs / 1000} s`) : error),
      );
      request.end();
    } catch (error) {
      failed(error);
    }
  });
}

/** The checks that an answer of /ready says fail. */
export function failingChecks({ status, text }: Answer): Record<string, string> {
  if (status === 0 || status === 200) return {};
  try {
    const { error } = JSON.parse(text) as { error?: Record<string, { message?: unknown }> };
    return Object.fromEntries(
      Object.entries(error ?? {}).map(([name, { message }]) => [
        name,
        typeof message === 'string' ? message : 'down',
      ]),
    );
  } catch {
    return {};
  }
}
