import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { SecretFile } from '#platform/process';
import { WebhookError } from './webhook.error';

const MAX_ENDPOINTS = 16;
const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost']);

/** Endpoints as the configuration names them; their secrets are in files of their own. */
export const webhookEntries = z
  .array(
    z.strictObject({
      name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
      url: z.url().max(2_048),
      secretFile: z.string().min(1),
      /** Authorities to trust in place of the usual ones. */
      caFile: z.string().min(1).optional(),
      /** Types of notifications; default all. */
      types: z.array(z.string().min(1)).min(1).max(64).optional(),
    }),
  )
  .max(MAX_ENDPOINTS)
  .refine((entries) => new Set(entries.map(({ name }) => name)).size === entries.length, {
    message: 'two endpoints have the same name',
  });

export type EndpointEntry = z.output<typeof webhookEntries>[number];

/** Where notifications go. */
export interface WebhookEndpoint {
  /** Name in the list of deliveries and in metrics. */
  readonly name: string;
  readonly url: string;
  /** Those in force: ask for them whenever something is signed. */
  readonly secrets: WebhookSecrets;
  /** Where they are read again from, when it changes. */
  readonly secretFile?: SecretFile;
  readonly ca: string | null;
  readonly types: ReadonlySet<string> | null;
}

const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;
/** Standard Webhooks: 24 to 64 bytes. */
const [LEAST_BYTES, MOST_BYTES] = [24, 64];
/** The active secret, and while it is being replaced its predecessor or successor. */
const MAX_SECRETS = 2;

/** Signs for an endpoint. The keys stay inside: nothing that prints or serialises this shows them. */
export class WebhookSecrets {
  readonly #keys: readonly Buffer[];

  private constructor(keys: readonly Buffer[]) {
    this.#keys = keys;
  }

  /** @param text `whsec_` and base64, one secret a line @throws WebhookError `bad_secret`, without the text */
  static parse(text: string): WebhookSecrets {
    const lines = text.split('\n').flatMap((line) => line.trim() || []);
    const keys = lines.map((line) => {
      const base64 = SECRET.exec(line)?.[1] ?? '';
      const key = Buffer.from(base64, 'base64');
      return key.toString('base64') === base64 ? key : Buffer.alloc(0);
    });
    const fits = keys.every(({ length }) => length >= LEAST_BYTES && length <= MOST_BYTES);
    if (keys.length === 0 || keys.length > MAX_SECRETS || !fits) {
      throw new WebhookError(
        'bad_secret',
        `expected one or two lines, each whsec_ and the base64 of ${LEAST_BYTES} to ${MOST_BYTES} bytes`,
      );
    }
    return new WebhookSecrets(keys);
  }

  /** Value of the header webhook-signature (Standard Webhooks): one signature for each secret. */
  sign(id: string, timestampS: number, body: string): string {
    return this.#keys
      .map((key) => `v1,${createHmac('sha256', key).update(`${id}.${timestampS}.${body}`).digest('base64')}`)
      .join(' ');
  }
}

function secretsIn(text: string): WebhookSecrets | undefined {
  try {
    return WebhookSecrets.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Endpoints ready for use.
 * @param known the existing notifications
 * @param development whether plain HTTP to this machine itself is enough
 * @throws WebhookError `bad_endpoint` naming the endpoint
 */
export function openEndpoints(
  entries: readonly EndpointEntry[],
  { known, development }: { known: readonly string[]; development: boolean },
): WebhookEndpoint[] {
  return entries.map(({ name, url, secretFile, caFile, types }) => {
    const refuse = (why: string, cause?: unknown) =>
      new WebhookError('bad_endpoint', `the endpoint "${name}" cannot be used: ${why}`, {}, { cause });
    const { protocol, hostname, username, password } = new URL(url);
    if (protocol !== 'https:' && !(protocol === 'http:' && development && LOOPBACK.has(hostname))) {
      throw refuse('its url must be https (in development, http to this machine will do)');
    }
    if (username !== '' || password !== '') throw refuse('its url must hold no credentials');
    const strange = types?.find((type) => !known.includes(type));
    if (strange !== undefined) {
      throw refuse(`there is no notification "${strange}"; there are ${known.join(', ')}`);
    }
    const read = (file: string): string => {
      try {
        return readFileSync(file, 'utf8');
      } catch (cause) {
        throw refuse(`${file} cannot be read (${(cause as NodeJS.ErrnoException).code})`, cause);
      }
    };
    const text = read(secretFile);
    let secrets: WebhookSecrets;
    try {
      secrets = WebhookSecrets.parse(text);
    } catch (cause) {
      if (cause instanceof WebhookError && cause.code === 'bad_secret') {
        throw refuse(`${secretFile} holds no secret: ${cause.message}`, cause);
      }
      throw cause;
    }
    const file = new SecretFile({
      setting: `KERNEL_WEBHOOKS ${name}`,
      path: secretFile,
      value: text.replace(/\r?\n$/, ''),
      parse: (changed) => (secretsIn(changed) === undefined ? undefined : changed),
    });
    file.onChange(() => (secrets = secretsIn(file.current) ?? secrets));
    return {
      name,
      url,
      get secrets() {
        return secrets;
      },
      secretFile: file,
      ca: caFile === undefined ? null : read(caFile),
      types: types === undefined ? null : new Set(types),
    };
  });
}
