import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { OpenBaoApi, type OpenBaoMethod } from './openbao-api';
import { openBaoMissing, openBaoProgram } from './openbao-program';
import { type DevelopmentCa } from '../certificates/development-ca';
import { writePrivate } from '../certificates/private-file';
import { DevstackError } from '../devstack.error';
import { BoundedLog } from '../process/bounded-log';
import { type RunningChild, startChild } from '../process/child-process';
import { makeFolder } from '../process/folder';
import { assertPortFree, freePort, startOnFreePort } from '../process/free-port';
import { SupervisedService } from '../process/supervised-service';
import { readSecrets } from '../stack/secrets-file';

const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 30_000;
/** It steps down and seals itself first, which takes some three seconds. */
const STOP_GRACE_MS = 10_000;
/** What it prints once it listens. */
const STARTED = '==> OpenBao server started!';
/** Address by which the storage permanently knows its only member; nothing listens there, as there is no other. */
const MEMBER = 'https://127.0.0.1:8201';

export interface OpenBaoOptions {
  /** Folder for storage, keys and log; made when it does not exist, taken up again when it does. */
  dir: string;
  /** Issues its certificate. */
  ca: DevelopmentCa;
  /** TCP port on 127.0.0.1; a free one when left out. */
  port?: number;
  /** Where the server's own log goes; default `<dir>/openbao.log`. */
  logFile?: string;
  /** Where it writes down each request and answer (its file audit device); default: nowhere. */
  auditFile?: string;
  /** Start it again when it dies; default true. */
  restart?: boolean;
  /** It is thrown away afterwards: `stop` ends it without a graceful shutdown. */
  throwaway?: boolean;
  /** Called with what happens to the process. */
  onChange?: (service: SupervisedService, note: string) => void;
}

export interface OpenBaoServer {
  /** https://127.0.0.1:<port> */
  readonly address: string;
  readonly port: number;
  /** PEM file: the authority of its certificate. */
  readonly caFile: string;
  readonly pid: number | undefined;
  /** A request as its administrator, by the root token. @param path below /v1/ @throws DevstackError when refused */
  ask(method: OpenBaoMethod, path: string, body?: object): Promise<unknown>;
  /** From then on it answers 503 to everything, until `unseal` or the next start. */
  seal(): Promise<void>;
  unseal(): Promise<void>;
  /** Kills it outright and waits until it is gone. It comes back by itself, unsealed, unless `restart` is off. */
  kill(): Promise<void>;
  /** Starts it after `stop`, or after `kill` with `restart` off. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Key that opens the storage, and token that may do everything; made with the storage, and never available again. */
interface Secrets {
  unsealKey: string;
  rootToken: string;
}

/**
 * Starts a real OpenBao server on the loopback address, over TLS and a storage on disk, initialised and unsealed. What
 * unseals it lies beside the storage in a file of mode 0600, so that it comes back by itself: for development and tests
 * only.
 * @throws DevstackError `tool_missing` where OpenBao is not installed, `port_in_use`, `state_broken`, `process_failed`
 */
export async function startOpenBao(options: OpenBaoOptions): Promise<OpenBaoServer> {
  const missing = openBaoMissing();
  if (missing !== null) throw new DevstackError('tool_missing', `There is no OpenBao here: ${missing}.`);
  const dir = resolve(options.dir);
  await makeFolder(dir, 0o700);
  await makeFolder(join(dir, 'data'), 0o700);
  const tls = await options.ca.ensure({
    name: 'openbao-server',
    commonName: 'openbao',
    usage: 'server',
    hosts: ['localhost', HOST],
  });
  const ca = await readFile(options.ca.certFile, 'utf8');
  const log = new BoundedLog(options.logFile ?? join(dir, 'openbao.log'));

  if (options.port !== undefined) await assertPortFree(options.port, 'OpenBao');
  return startOnFreePort(
    async () => {
      const port = options.port ?? (await freePort());
      const api = new OpenBaoApi(`https://${HOST}:${port}`, ca);
      const vault = new Opener(dir, api);
      const config = join(dir, 'server.json');
      await writePrivate(config, configuration(join(dir, 'data'), port, tls, options.auditFile));
      const service = new SupervisedService({
        name: 'openbao',
        stopGraceMs: options.throwaway === true ? 0 : STOP_GRACE_MS,
        restart: options.restart !== false,
        ...(options.onChange === undefined ? {} : { onChange: options.onChange }),
        start: (signal) => startProgram({ dir, config, port, vault, log, signal }),
      });
      await service.start();
      return serverOf(service, vault, api, port, options.ca.certFile);
    },
    { fixed: options.port !== undefined },
  );
}

function serverOf(
  service: SupervisedService,
  vault: Opener,
  api: OpenBaoApi,
  port: number,
  caFile: string,
): OpenBaoServer {
  return {
    address: api.address,
    port,
    caFile,
    get pid() {
      return service.current?.pid;
    },
    ask: async (method, path, body) => api.ask(method, path, body, (await vault.secrets()).rootToken),
    async seal() {
      await api.ask('POST', 'sys/seal', {}, (await vault.secrets()).rootToken);
    },
    unseal: () => vault.open(AbortSignal.timeout(START_TIMEOUT_MS)),
    kill: () => service.kill(),
    start: () => service.start(),
    stop: () => service.stop(),
  };
}

function configuration(
  data: string,
  port: number,
  tls: { cert: string; key: string },
  auditFile: string | undefined,
): string {
  return JSON.stringify(
    {
      storage: { raft: { path: data, node_id: 'kernel', performance_multiplier: 1 } },
      listener: [
        {
          tcp: {
            address: `${HOST}:${port}`,
            // For other members, of which there are none: whichever port is free.
            cluster_address: `${HOST}:0`,
            tls_cert_file: tls.cert,
            tls_key_file: tls.key,
          },
        },
      ],
      api_addr: `https://${HOST}:${port}`,
      cluster_addr: MEMBER,
      // Devices are declared: from 2.4 on the API makes none.
      ...(auditFile === undefined
        ? {}
        : { audit: [{ type: 'file', path: 'file', options: { file_path: auditFile } }] }),
      ui: false,
      log_level: 'warn',
    },
    null,
    2,
  );
}

/** Initialises a new storage, and unseals an existing one. */
class Opener {
  private readonly file: string;

  constructor(
    private readonly dir: string,
    private readonly api: OpenBaoApi,
  ) {
    this.file = join(dir, 'unseal.json');
  }

  /** Whether anything answers. */
  async answers(): Promise<boolean> {
    return (await this.api.send('GET', 'sys/seal-status')).status === 200;
  }

  async open(signal: AbortSignal): Promise<void> {
    const { initialized, sealed } = (await this.api.ask('GET', 'sys/seal-status')) as {
      initialized: boolean;
      sealed: boolean;
    };
    if (!initialized) await this.initialise();
    const { unsealKey } = await this.secrets();
    if (sealed) await this.api.ask('POST', 'sys/unseal', { key: unsealKey });
    // It is unsealed at once, and a moment later active as well.
    while ((await this.api.send('GET', 'sys/health')).status !== 200) {
      signal.throwIfAborted();
      await delay(20);
    }
  }

  async secrets(): Promise<Secrets> {
    const kept = await readSecrets(this.file, ['unsealKey', 'rootToken'], 'what unseals the signing keys');
    if (kept !== undefined) return kept;
    throw new DevstackError(
      'state_broken',
      `${this.file} is missing, without which nobody can unseal the keys in ${this.dir}; restore it, or choose another folder with --state.`,
      { file: this.file },
    );
  }

  private async initialise(): Promise<void> {
    // The file of a storage that is gone opens no other; no keys are replaced silently.
    if (existsSync(this.file)) {
      throw new DevstackError(
        'state_broken',
        `${join(this.dir, 'data')} is empty, but there was a storage, which ${this.file} unseals; restore it, or choose another folder with --state.`,
        { file: this.file },
      );
    }
    const made = (await this.api.ask('POST', 'sys/init', { secret_shares: 1, secret_threshold: 1 })) as {
      keys_base64: [string];
      root_token: string;
    };
    const secrets: Secrets = { unsealKey: made.keys_base64[0], rootToken: made.root_token };
    await writePrivate(this.file, `${JSON.stringify(secrets, null, 2)}\n`);
  }
}

interface ProgramStart {
  dir: string;
  config: string;
  port: number;
  vault: Opener;
  log: BoundedLog;
  signal: AbortSignal;
}

async function startProgram({ dir, config, port, vault, log, signal }: ProgramStart): Promise<RunningChild> {
  const child = await startChild({
    command: openBaoProgram(),
    args: ['server', `-config=${config}`],
    env: {},
    cwd: dir,
    log,
  });
  const patience = AbortSignal.any([signal, AbortSignal.timeout(START_TIMEOUT_MS)]);
  try {
    // Its own output comes first: another server may answer on that port while ours finds it taken.
    while (!log.tail().includes(STARTED) || !(await vault.answers())) {
      if (child.exit !== undefined) throw startFailure(log, port);
      patience.throwIfAborted();
      await delay(20);
    }
    await vault.open(patience);
    return child;
  } catch (error) {
    await child.stop(STOP_GRACE_MS);
    if (patience.aborted && !signal.aborted) {
      throw new DevstackError(
        'process_failed',
        `OpenBao did not start within ${START_TIMEOUT_MS} ms (log: ${log.file}).`,
        { log: log.file },
      );
    }
    throw error;
  }
}

function startFailure(log: BoundedLog, port: number): DevstackError {
  const lines = log.tail(12);
  if (lines.some((line) => line.includes('address already in use'))) {
    return new DevstackError('port_in_use', `Port ${port} (OpenBao) is already in use.`, { port });
  }
  return new DevstackError(
    'process_failed',
    `OpenBao did not start: ${lines.at(-1) ?? 'no message'} (log: ${log.file}).`,
    { log: log.file, lines },
  );
}
