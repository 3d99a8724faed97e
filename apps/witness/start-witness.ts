import { mkdir, readFile } from 'node:fs/promises';
import {
  type AppLife,
  managementOf,
  type Registry,
  startManagementServer,
  TlsFiles,
} from '#platform/process';
import { parseKnownLogs } from './cosign/known-logs';
import { Witness } from './cosign/witness';
import { LogFollower } from './follow/log-follower';
import { RemoteLog } from './follow/remote-log';
import { startWitnessServer } from './http/witness-server';
import { loadWitnessKey } from './key/witness-key';
import { WitnessState } from './state/witness-state';
import { WitnessFolderError } from './witness-folder.error';
import { witnessFiles } from './witness-files';
import { type WitnessConfig } from './witness.config';
import { WitnessMetrics } from './witness.metrics';

/** Exit codes of one look at every followed log. */
const EXIT = { fine: 0, refused: 1, failed: 2 } as const;

export interface WitnessLife extends Pick<AppLife, 'logger' | 'onStop' | 'stopping'> {
  registry: Registry;
  /** Look once at each followed log, and serve nobody. */
  once: boolean;
  /** With `once`: a line of JSON for each log. */
  json: boolean;
}

/** @returns the exit code when it looked once; undefined when it serves and follows */
export async function startWitness(config: WitnessConfig, life: WitnessLife): Promise<number | undefined> {
  const { logger, onStop, stopping, registry } = life;
  const files = witnessFiles(config.witnessDir);
  const key = await loadWitnessKey(files.key);
  const list = config.witnessLogs ?? files.logs;
  const logs = parseKnownLogs(await textOf(list), config.witnessFollow ?? null);
  if (logs.size === 0) {
    throw new WitnessFolderError(
      'logs_refused',
      `${list} names no log: add a line "log <vkey> [<url>]" for each.`,
    );
  }
  const state = await WitnessState.open(files.state, key);
  onStop(() => state.close());
  const metrics = new WitnessMetrics(registry, logs.keys());
  const witness = new Witness({ logs, key, state, observer: metrics, logger });
  const publishDir = config.witnessPublishDir ?? null;
  if (publishDir !== null) await mkdir(publishDir, { recursive: true });
  const ca = config.witnessFollowCa === undefined ? undefined : await readFile(config.witnessFollowCa);
  const followers = [...logs.values()].flatMap(({ name, url }) => {
    if (url === null) return [];
    const remote = new RemoteLog(url, ca);
    onStop(() => remote.close());
    const intervalMs = config.witnessFollowSeconds * 1_000;
    return new LogFollower({
      log: name,
      remote,
      witness,
      intervalMs,
      publishDir,
      onLook: (log, outcome) => metrics.onLook(log, outcome),
      logger,
    });
  });
  if (life.once) return lookOnce(followers, life.json, stopping);

  const following = followers.map((follower) => follower.run(stopping));
  onStop(() => Promise.all(following));
  const tls = tlsOf(config, life);
  const server = await startWitnessServer({
    witness,
    host: config.listenHost,
    port: config.listenPort,
    tls: tls?.current ?? null,
    logger,
  });
  onStop(() => server.close());
  tls?.onRenewal((renewed) => server.renewTls(renewed));
  const management = await startManagementServer({
    ...managementOf(config),
    logger,
    registry,
    checks: {},
  });
  onStop(async () => {
    management.drain();
    await management.close();
  });
  logger.info(
    {
      port: server.port,
      managementPort: management.port,
      vkey: key.vkey,
      logs: logs.size,
      followed: followers.length,
    },
    'witness is up',
  );
  return undefined;
}

async function lookOnce(
  followers: readonly LogFollower[],
  json: boolean,
  signal: AbortSignal,
): Promise<number> {
  if (followers.length === 0) {
    throw new WitnessFolderError(
      'wrong_usage',
      'No log has a URL to look at: give it in the list of logs, or with --follow.',
    );
  }
  let code: number = EXIT.fine;
  for (const follower of followers) {
    const look = await follower.look(signal);
    const { log } = follower;
    process.stdout.write(
      json
        ? `${JSON.stringify({ log, ...look })}\n`
        : 'size' in look
          ? `${log}: ${look.outcome} at size ${look.size}\n`
          : `${log}: ${look.outcome}: ${look.message}\n`,
    );
    // A log that is refused is worse than one that cannot be read.
    if (look.outcome === 'refused') code = EXIT.refused;
    else if (look.outcome === 'failed' && code === EXIT.fine) code = EXIT.failed;
  }
  return code;
}

function tlsOf({ tlsCertFile, tlsKeyFile }: WitnessConfig, { logger, onStop, registry }: WitnessLife) {
  if (tlsCertFile === undefined && tlsKeyFile === undefined) return null;
  if (tlsCertFile === undefined || tlsKeyFile === undefined) {
    throw new WitnessFolderError(
      'wrong_usage',
      'KERNEL_TLS_CERT_FILE and KERNEL_TLS_KEY_FILE belong together; one of them is missing.',
    );
  }
  const paths = { cert: tlsCertFile, key: tlsKeyFile };
  const files = new TlsFiles({ use: 'witness', paths, logger, registry });
  onStop(async () => files.close());
  return files;
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new WitnessFolderError(
      'logs_refused',
      `The list of logs, ${path}, cannot be read (${code}).`,
      { path },
      { cause },
    );
  }
}
