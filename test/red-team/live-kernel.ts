import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { auditSigningInput, type JsonObject, sha256Hex } from '#evidence';
import { type HttpAnswer, MtlsClient, TestSigner, type TestStack } from '#dev/testing';
import { until } from '../faults/until';
import { type Story, tellStory } from './story';

export const KEYS = {
  audit: 'kernel-audit-ed25519-v1',
  manifest: 'kernel-manifest-ed25519-v1',
  checkpoint: 'kernel-checkpoint-ed25519-v1',
} as const;

type Role = 'runtimeUrl' | 'workerUrl' | 'ownerUrl';

/** A request of the signing proxy, as it goes over the wire. */
export interface Item {
  purpose: string;
  kid: string;
  input: string;
  committed?: number;
}

/** What the thieves of the suite have before them: a running kernel, its signing proxy and its database. */
export class LiveKernel {
  private readonly proxies = new Map<string, MtlsClient>();

  private told: Story | undefined;

  constructor(readonly stack: TestStack) {}

  get origin(): string {
    return this.stack.origin;
  }

  /** What there is to be stolen. */
  get story(): Story {
    if (this.told === undefined) throw new Error('prepare() comes first');
    return this.told;
  }

  async prepare(): Promise<void> {
    await until('the kernel is ready', async () => (await this.stack.management('/ready')).status === 200);
    this.told = await tellStory(this.as('OPERATOR'), this.as('SUPERADMIN'), (more) => this.propose(more));
  }

  /** Stops the indexer when it has everything, so that what a thief writes to the index is all that is written there. */
  async stopIndex(): Promise<void> {
    await until('the index has everything', async () => {
      const [row] = await this.query(
        'workerUrl',
        'SELECT h.seq = (SELECT max(seq) FROM kernel_index.events) AS done FROM kernel.shard_head h',
      );
      return row?.['done'] === true;
    });
    await this.stack.worker('indexer').process.kill();
  }

  as(caller: 'OPERATOR' | 'SUPERADMIN' | 'DIVISION_LEAD' | 'AUDITOR'): MtlsClient {
    return this.stack.client(caller);
  }

  /** How often the signing proxy has refused with this word. */
  async refusals(reason: string): Promise<number> {
    const text = await (await fetch(`${this.stack.signingProxyManagementUrl}/metrics`)).text();
    const found = new RegExp(`^signing_proxy_refusals_total\\{reason="${reason}"\\} (\\d+)$`, 'm').exec(text);
    return Number(found?.[1] ?? 0);
  }

  /** The signing proxy, for whoever has the certificate of one of its clients. */
  proxy(client: 'kernel' | 'log-publisher' | 'dev-superadmin'): MtlsClient {
    const { identities, signingProxyUrl } = this.stack;
    const known = this.proxies.get(client);
    if (known !== undefined) return known;
    const identity = {
      kernel: identities.kernelClient,
      'log-publisher': identities.logPublisherClient,
      'dev-superadmin': identities.callers.SUPERADMIN,
    }[client];
    const made = new MtlsClient(signingProxyUrl, { ca: identities.caCert, identity });
    this.proxies.set(client, made);
    return made;
  }

  async close(): Promise<void> {
    await Promise.all([...this.proxies.values()].map((client) => client.close()));
  }

  /** Asks the proxy to sign a batch. @returns the word of its refusal; none when it signed */
  async sign(client: 'kernel' | 'log-publisher', ...requests: Item[]): Promise<string[]> {
    return refusalOf(await this.proxy(client).post('/v1/sign', { requests }));
  }

  /** An event to sign, at a place in the chain. */
  event(seq: number, more: { origin?: string; shard?: number; hash?: string; kid?: string } = {}): Item {
    const { origin = this.origin, shard = 0, hash = sha256Hex(`lie ${seq}`), kid = KEYS.audit } = more;
    return item('audit-event', kid, auditSigningInput({ origin, shard, seq, hash }));
  }

  /** The last committed position of the chain, and the highest that the proxy has signed. */
  async head(): Promise<{ seq: number; signed: number }> {
    const { json } = await this.as('OPERATOR').get('/kernel/audit/head');
    const { seq } = (json as { seq: number }[])[0] ?? { seq: 0 };
    const marks = await this.proxy('kernel').get('/v1/marks');
    const [mark] = (marks.json as { marks: { signed: number }[] }).marks;
    return { seq, signed: mark?.signed ?? 0 };
  }

  /** The canonical events of the chain, in order. */
  async events(): Promise<Uint8Array[]> {
    const rows = await this.query('ownerUrl', 'SELECT canonical FROM kernel.events ORDER BY seq');
    return rows.map(({ canonical }) => canonical as Buffer);
  }

  /** The private key that the proxy keeps in a file, in the thief's hands. */
  async stolen(kid: string): Promise<TestSigner> {
    const file = join(this.stack.dir, 'signing-keys', `${kid}.key.json`);
    const { privateKeyPem } = JSON.parse(await readFile(file, 'utf8')) as { privateKeyPem: string };
    const der = Buffer.from(privateKeyPem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    return new TestSigner(kid, { seed: der.subarray(-32) });
  }

  /** Rows of a statement, in the role of whoever has its password. */
  async query(role: Role, text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    return this.transaction(
      role,
      async (client) => (await client.query(text, values)).rows as Record<string, unknown>[],
    );
  }

  /** @returns the SQLSTATE of its refusal; none when it was carried out */
  async statement(role: Role, ...texts: string[]): Promise<string[]> {
    try {
      await this.transaction(role, async (client) => {
        for (const text of texts) await client.query(text);
      });
      return [];
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === undefined) throw error;
      return [code];
    }
  }

  async transaction<T>(role: Role, work: (client: Client) => Promise<T>): Promise<T> {
    const client = new Client({ connectionString: this.stack.postgres[role] });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }

  async propose(more: JsonObject = {}): Promise<string> {
    const upgradeId = `upg-${randomUUID().slice(0, 8)}`;
    const manifest = { upgradeId, type: 'manifest', target: 'ranker', rationale: 'a test', ...more };
    const { status, text } = await this.as('OPERATOR').post('/kernel/upgrade', { manifest });
    if (status !== 201) throw new Error(text);
    return upgradeId;
  }
}

export function item(purpose: string, kid: string, input: Uint8Array | string): Item {
  return { purpose, kid, input: Buffer.from(input).toString('base64') };
}

/** The word of a refusal; none when the answer is none. */
export function refusalOf({ status, text }: HttpAnswer): string[] {
  if (status < 400) return [];
  const { error } = JSON.parse(text) as { error?: string };
  return [error ?? String(status)];
}
