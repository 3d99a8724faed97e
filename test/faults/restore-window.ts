import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { type DevelopmentCaller } from '#dev/devstack';
import { type TestStack } from '#dev/testing';

/** Asks the signing proxy for a restore window, as one of the development callers. */
export async function openRequest(
  { identities, signingProxyUrl }: TestStack,
  caller: DevelopmentCaller,
  body: object,
): Promise<{ status: number; json: unknown }> {
  const { cert, key } = identities.callers[caller];
  const dispatcher = new Agent({
    connect: { ca: readFileSync(identities.caCert), cert: readFileSync(cert), key: readFileSync(key) },
  });
  try {
    const answer = await request(`${signingProxyUrl}/v1/restore-windows`, {
      dispatcher,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: answer.statusCode, json: await answer.body.json() };
  } finally {
    await dispatcher.destroy();
  }
}
