import { setTimeout as delay } from 'node:timers/promises';
import { KeyTrust, spannedSigners, type TrustedSigner } from '#evidence';
import { type Archive, ArchiveError } from '#platform/archive';
import {
  type FollowedStream,
  registryEventsOf,
  type RunningFollower,
  startFollower,
  StreamPositions,
} from '#platform/audit-stream';
import { type Logger } from '#platform/process';
import { DocumentSigner, type SigningProxyClient } from '#platform/signer';
import { type ArchiverMetrics } from './archiver.metrics';
import { DayManifests } from './day-manifests/day-manifests';
import { ShardDays } from './day-manifests/shard-days';
import { ArchiveEvents } from './events/archive-events';
import { ApplyHolds } from './legal-holds/apply-holds';
import { HoldEvents } from './legal-holds/hold-events';

export interface ArchiverOptions extends FollowedStream {
  archive: Archive;
  /** Nothing is archived before the archive has proved that it cannot be changed. */
  protectedOnly: boolean;
  proxy: Pick<SigningProxyClient, 'keys' | 'sign'>;
  dayGraceMs: number;
  /** How often days and holds are checked without being told; for tests. */
  everyMs?: number;
  metrics: ArchiverMetrics;
}

/** Name of this consumer in kernel.stream_positions. */
export const ARCHIVER = 'archiver';
/** Pause between attempts while the archive does not answer at the start. */
const PROTECTION_RETRY_MS = 2_000;

/** @throws ArchiveError `not_protected` when a protected archive is required and this is none */
export async function startArchiver(
  options: ArchiverOptions,
  signal?: AbortSignal,
): Promise<RunningFollower> {
  const { origin, shards, dataSource, archive, logger, metrics, roots } = options;
  const registered = async (): Promise<TrustedSigner[]> => {
    const trust = new KeyTrust(origin, roots);
    trust.learn(await registryEventsOf(dataSource));
    return spannedSigners(trust.registry);
  };
  const every = options.everyMs === undefined ? {} : { everyMs: options.everyMs };
  const manifests = new DayManifests({
    origin,
    shards,
    archive,
    days: new ShardDays(dataSource, ARCHIVER, options.dayGraceMs),
    signer: new DocumentSigner(options.proxy, registered),
    registered,
    metrics,
    logger,
    ...every,
  });
  const holds = new ApplyHolds({ dataSource, archive, metrics, logger, ...every });
  let protection = options.protectedOnly ? 'its protection has not been checked yet' : null;
  return startFollower(options, {
    name: ARCHIVER,
    handler: new ArchiveEvents(
      archive,
      new StreamPositions(dataSource, ARCHIVER, origin),
      new HoldEvents(dataSource, () => holds.wake()),
      metrics,
      (shard, { event }) => manifests.onArchived(shard, event.ts),
    ),
    checks: {
      archive: async () => {
        if (protection !== null) throw new Error(`The archive is not used: ${protection}.`);
      },
      day_manifests: async () => manifests.check(),
    },
    async mayBegin() {
      if (!options.protectedOnly) return;
      await whenProtected(archive, logger, signal, (why) => {
        protection = why;
      });
      protection = null;
    },
    beside: [manifests, holds],
  });
}

/** A store that does not answer may be back soon; one that answers that it protects nothing is refused. */
async function whenProtected(
  archive: Archive,
  logger: Logger,
  signal: AbortSignal | undefined,
  waits: (why: string) => void,
): Promise<void> {
  for (;;) {
    try {
      await archive.assertProtected();
      return;
    } catch (error) {
      if (!(error instanceof ArchiveError) || error.code !== 'unavailable') throw error;
      logger.warn({ err: error }, 'the archive does not answer; waits for it');
      waits(error.message);
    }
    await delay(PROTECTION_RETRY_MS, undefined, { ...(signal === undefined ? {} : { signal }) });
  }
}
