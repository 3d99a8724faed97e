import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Archive, FolderArchive, S3Archive } from '#platform/archive';
import { sha256Hex } from '#evidence';
import { s3Missing, startTestS3 } from '#dev/testing';
import { loadBenchConfig } from './bench.config';
import { type BenchResult } from './bench-result';
import { round } from './bench-stack';

const PARALLEL = [1, 16, 64];
/** An audit event with a payload of a few hundred bytes. */
const EVENT_BYTES = 1_200;

/** Storing and reading back events, in a folder and in a real S3 server with object lock. */
export async function run(): Promise<BenchResult> {
  const config = loadBenchConfig();
  const result: BenchResult = {
    name: `archive: objects of ${EVENT_BYTES} bytes`,
    rows: [],
    notes: [
      'folder: written, flushed, linked, directory flushed. s3: versitygw on the same cores, which does not flush;',
      'each put carries SHA-256, condition and lock. Latencies of a put are in ms.',
    ],
  };
  const dir = await mkdtemp(join(tmpdir(), 'bench-archive-'));
  try {
    await measure('folder', (parallel) => FolderArchive.open({ dir, parallel }));
    const missing = s3Missing();
    if (missing !== null) {
      result.notes.push(`s3 was not measured: ${missing}`);
      return result;
    }
    const s3 = await startTestS3();
    try {
      const bucket = await s3.createBucket();
      await measure('s3', (parallel) =>
        S3Archive.open({
          bucket: bucket.name,
          region: s3.region,
          endpoint: s3.endpoint,
          credentials: bucket.owner,
          retention: { mode: 'GOVERNANCE', days: 1 },
          parallel,
        }),
      );
    } finally {
      await s3.stop();
    }
    return result;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }

  async function measure(name: string, open: (parallel: number) => Promise<Archive>): Promise<void> {
    for (const parallel of config.benchConcurrency ?? PARALLEL) {
      const archive = await open(parallel);
      try {
        const ms = config.benchSeconds * 1_000;
        await putFor(archive, parallel, ms / 3);
        const puts = await putFor(archive, parallel, ms);
        const again = await repeat(parallel, ms / 3, (n) =>
          archive.put(puts.objects[n % puts.objects.length] as (typeof puts.objects)[0]),
        );
        const gets = await repeat(parallel, ms / 3, (n) =>
          archive.get(puts.objects[n % puts.objects.length]?.key ?? ''),
        );
        result.rows.push({
          archive: name,
          parallel,
          'puts/s': Math.round(puts.perSecond),
          p50: round(puts.latencies.at(puts.latencies.length * 0.5) ?? 0, 2),
          p95: round(puts.latencies.at(puts.latencies.length * 0.95) ?? 0, 2),
          'already/s': Math.round(again.perSecond),
          'gets/s': Math.round(gets.perSecond),
          'MB resident': Math.round(process.memoryUsage.rss() / 1e6),
        });
      } finally {
        await archive.close();
      }
    }
  }
}

async function putFor(archive: Archive, parallel: number, ms: number) {
  const objects: { key: string; bytes: Uint8Array; sha256: string }[] = [];
  const measured = await repeat(parallel, ms, async () => {
    const bytes = randomBytes(EVENT_BYTES);
    const sha256 = sha256Hex(bytes);
    const object = { key: `audit/2026/11/23/${sha256.slice(0, 32)}.json`, bytes, sha256 };
    await archive.put(object);
    objects.push(object);
  });
  return { ...measured, objects };
}

/** Repeats the work for the given time, `parallel` calls at once. */
async function repeat(
  parallel: number,
  ms: number,
  once: (n: number) => Promise<unknown>,
): Promise<{ perSecond: number; latencies: number[] }> {
  const latencies: number[] = [];
  const began = performance.now();
  let n = 0;
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      while (performance.now() - began < ms) {
        const start = performance.now();
        await once(n++);
        latencies.push(performance.now() - start);
      }
    }),
  );
  const perSecond = (latencies.length * 1_000) / (performance.now() - began);
  return { perSecond, latencies: latencies.sort((a, b) => a - b) };
}
