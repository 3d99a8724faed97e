import { setTimeout as delay } from 'node:timers/promises';
import { type AuditEvent } from '#evidence';
import { type HttpAnswer, type MtlsClient } from '#dev/testing';
import { type Attempt, type Ledger, PATIENCE_MS, problemFaults } from './ledger';

const PAUSE_MS = 10;

interface Read {
  path: string;
  isRight: (answer: HttpAnswer) => boolean;
}

/** The reads that have to work whatever happens to the signing proxy. */
export function someReads(ledger: Ledger): Read[] {
  const known = [...ledger.acknowledged.values()].at(-1)?.events[0];
  return [
    { path: '/kernel/audit/head', isRight: ({ json }) => (json as unknown[]).length > 0 },
    {
      path: '/kernel/audit?limit=3',
      // From the index, which is empty where the test runs no indexer.
      isRight: ({ json }) => Array.isArray((json as { events: unknown[] }).events),
    },
    {
      path: '/kernel/keys/signers.json',
      // Audit and manifest, and for checkpoints where the backend of the test has a key for them.
      isRight: ({ json }) => [2, 3].includes((json as { signers: unknown[] }).signers.length),
    },
    ...(known === undefined
      ? []
      : [
          {
            path: `/kernel/audit/${known.id}`,
            isRight: ({ json }: HttpAnswer) => (json as AuditEvent).seq === known.seq,
          },
          {
            path: `/kernel/audit/export?shard=${known.shard}&fromSeq=${known.seq}&toSeq=${known.seq}`,
            isRight: ({ text }: HttpAnswer) => (JSON.parse(text) as AuditEvent).id === known.id,
          },
        ]),
  ];
}

/** Readers, one for each kernel, that keep sending requests until they are stopped. */
export class Reads {
  readonly attempts: Attempt[] = [];
  /** Answers that no fault excuses. */
  readonly wrong: string[] = [];
  private running = true;
  private readonly readers: Promise<void>[];

  constructor(
    private readonly ledger: Ledger,
    clients: readonly MtlsClient[],
  ) {
    this.readers = clients.map((client, kernel) => this.read(client, kernel));
  }

  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.readers);
  }

  private async read(client: MtlsClient, kernel: number): Promise<void> {
    while (this.running) {
      for (const { path, isRight } of someReads(this.ledger)) {
        const attempt = await attemptOf(client, path, kernel, (answer) => {
          if (answer.status === 503) this.wrong.push(...problemFaults(answer));
          else if (answer.status !== 200 || !isRight(answer)) {
            this.wrong.push(`${path}: ${answer.status} ${answer.text.slice(0, 500)}`);
          }
        });
        this.attempts.push(attempt);
        await delay(PAUSE_MS);
      }
    }
  }
}

async function attemptOf(
  client: MtlsClient,
  path: string,
  kernel: number,
  check: (answer: HttpAnswer) => void,
): Promise<Attempt> {
  const startedAt = performance.now();
  const attempt = (outcome: Attempt['outcome'], word: string): Attempt => ({
    name: path,
    kernel,
    startedAt,
    endedAt: performance.now(),
    outcome,
    word,
  });
  let answer: HttpAnswer;
  try {
    answer = await client.get(path, { signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch (error) {
    return attempt('broken', (error as { code?: string }).code ?? (error as Error).message);
  }
  check(answer);
  if (answer.status === 503) return attempt('refused', (answer.json as { error: string }).error);
  return attempt('answered', '');
}
