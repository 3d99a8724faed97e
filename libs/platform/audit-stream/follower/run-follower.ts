import { EventStoreError, openAsWorker, workerSettings } from '#platform/event-store';
import {
  type AppDefinition,
  type AppLife,
  type Config,
  managementOf,
  type MemberDefinitions,
  type processSettings,
  runApp,
} from '#platform/process';
import { AuditStreamError } from '../audit-stream.error';
import { readTrustRoot, trustSettings } from '../chain/trust-root';
import { loggedInterruptions } from '../logged-interruptions';
import { openStreamConsumer } from '../open-stream';
import { streamSettings } from '../stream-settings';
import { type FollowedStream, type RunningFollower } from './start-follower';

/** One running batch per shard would be more than one disk serves; the others wait their turn. */
const MAX_CONNECTIONS = 10;
/** One for registry events, one for /ready, one for the jobs beside the stream. */
const SPARE_CONNECTIONS = 3;

/**
 * Settings for the followed stream, its place and its trust root; followers spread them into their own `defineConfig`,
 * first.
 */
export const followerSettings = (done: Parameters<typeof workerSettings>[0]) =>
  ({ ...workerSettings(done), ...streamSettings, ...trustSettings }) as const;

type FollowerMembers = ReturnType<typeof followerSettings> & ReturnType<typeof processSettings>;

export interface FollowerApp<M extends FollowerMembers> extends Pick<AppDefinition<M>, 'config'> {
  /** Name of the app and of its position in the stream. */
  readonly name: string;
  readonly explained?: AppDefinition<M>['explained'];
  /** Makes the handler and calls `startFollower`. */
  start(config: Config<M>, stream: FollowedStream, life: AppLife): Promise<RunningFollower>;
}

/** Runs an app that follows the stream, from its configuration to its end. */
export function runFollower<M extends FollowerMembers & MemberDefinitions>(app: FollowerApp<M>): void {
  const { name, config, explained = [] } = app;
  runApp({
    name,
    config,
    explained: [EventStoreError, AuditStreamError, ...explained],
    async start(loaded, life) {
      const settings = loaded as unknown as Config<FollowerMembers>;
      const { origin, shards } = settings;
      const { logger, onStop } = life;
      const roots = readTrustRoot(settings, origin);
      const connections = Math.min(shards + SPARE_CONNECTIONS, MAX_CONNECTIONS);
      const dataSource = await openAsWorker(settings, { name, connections });
      onStop(() => dataSource.destroy());
      const observer = loggedInterruptions(logger);
      const consumer = openStreamConsumer(settings, { consumer: name, shards, dataSource, observer, logger });
      onStop(() => consumer.close());
      const management = managementOf(settings);
      const stream = { origin, shards, dataSource, consumer, roots, logger, management };
      const follower = await app.start(loaded, stream, life);
      onStop(() => follower.close());
      logger.info({ managementPort: follower.managementPort, origin, shards }, `${name} is up`);
      if (roots === null) logger.warn('trusts the first audit key of the chain: for development only');
    },
  });
}
