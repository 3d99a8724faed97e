import { z } from 'zod';
import { type Archive } from '#platform/archive';

/** What a report in the archive says of its audit (docs/spec/archive.md, section 3). */
const StoredAudit = z.object({
  origin: z.string(),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  verdict: z.enum(['clean', 'findings']),
  events: z.int().nonnegative(),
  findings: z.object({ count: z.int().nonnegative(), byKind: z.record(z.string(), z.int().nonnegative()) }),
});
export type StoredAudit = z.infer<typeof StoredAudit>;

/** Audits are daily; who has not looked for so long has alerts for days. */
const DAYS = 35;
/** Reports of one day that are read. */
const MAX_REPORTS = 20;
const DAY_MS = 24 * 60 * 60 * 1_000;

/**
 * The newest audit of this kernel in the archive, and the newest clean one, of the last weeks; null where there is none. Their seals
 * are not checked here: this is for metrics, and `audit-verify` judges reports.
 */
export async function storedAudits(
  archive: Pick<Archive, 'list' | 'get'>,
  origin: string,
  now: number,
): Promise<{ last: StoredAudit | null; clean: StoredAudit | null }> {
  let last: StoredAudit | null = null;
  for (let day = 0; day < DAYS; day++) {
    const date = new Date(now - day * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '/');
    const audits = (await reportsUnder(archive, `reports/${date}/`))
      .filter((audit) => audit.origin === origin)
      .sort((a, b) => (a.finishedAt < b.finishedAt ? 1 : -1));
    last ??= audits[0] ?? null;
    const clean = audits.find(({ verdict }) => verdict === 'clean');
    if (clean !== undefined) return { last, clean };
  }
  return { last, clean: null };
}

async function reportsUnder(archive: Pick<Archive, 'list' | 'get'>, prefix: string): Promise<StoredAudit[]> {
  const found: StoredAudit[] = [];
  for await (const { key } of archive.list(prefix)) {
    if (!key.endsWith('.json') || key.endsWith('.seal.json')) continue;
    const bytes = await archive.get(key);
    const audit = bytes === null ? undefined : readAudit(bytes);
    if (audit !== undefined) found.push(audit);
    if (found.length === MAX_REPORTS) break;
  }
  return found;
}

function readAudit(bytes: Uint8Array): StoredAudit | undefined {
  try {
    return StoredAudit.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
