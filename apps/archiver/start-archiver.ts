import { spannedSigners, type TrustedSigner } from '#evidence';
import { type Archive, ArchiveProtection, ArchiveWatch } from '#platform/archive';
import {
  type FollowedStream,
  registryOfChain,
  type RunningFollower,
  startFollower,
  StreamPositions,
} from '#platform/audit-stream';
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

/** @throws ArchiveError `not_protected` when a protected archive is required and this is none */
export async function startArchiver(
  options: ArchiverOptions,
  signal?: AbortSignal,
): Promise<RunningFollower> {
  const { origin, shards, dataSource, archive, logger, metrics, roots } = options;
  const registered = async (): Promise<TrustedSigner[]> =>
    spannedSigners(await registryOfChain({ origin, roots }, dataSource));
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
  const protection = new ArchiveProtection(archive, options.protectedOnly, logger);
  const watch = new ArchiveWatch(archive, logger);
  watch.start();
  const follower = startFollower(options, {
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
        watch.check();
        protection.check();
      },
      day_manifests: async () => manifests.check(),
    },
    mayBegin: () => protection.proved(signal),
    beside: [manifests, holds],
  });
  return watch.during(follower);
}
