import { join } from 'node:path';
import {
  APPROVER_COUNT,
  assertPortFree,
  BoundedLog,
  DEVELOPMENT_CALLERS,
  type DevelopmentCaller,
  type EnvironmentLine,
  holdBuild,
  portsFrom,
  programFolder,
  RunClaim,
  Stack,
  type StackPorts,
  type StateChoices,
  StateFolder,
  type StateRecord,
  type SupervisedService,
  writeEnvironmentFile,
} from '#dev/devstack';
import { backupVariables, collectorVariables, foreignServers, type Servers } from './servers';

export interface UpOptions extends StateChoices, Servers {
  /** Absolute. */
  state: string;
}

/** What a person needs to know of a stack that is ready. */
export interface UpSummary {
  dir: string;
  origin: string;
  apiUrl: string;
  /** For people, in a browser. */
  webUrl: string;
  managementUrl: string;
  signingProxyUrl: string;
  environmentFile: string;
  seconds: number;
  /** The database was lost: the kernel is not ready but in safe-mode, until it is rebuilt from the archive. */
  restoring: boolean;
}

export interface UpReporter {
  say(line: string): void;
  ready(summary: UpSummary): void;
}

/** Runs the stack of a state folder until it is told to stop. */
export async function runStack(options: UpOptions, reporter: UpReporter): Promise<void> {
  const started = performance.now();
  const stopAsked = stopSignal();
  const abort = new AbortController();
  void stopAsked.then(() => abort.abort());
  await holdBuild(`./kernel up --state ${options.state}`);
  await StateFolder.check(options.state, options);
  const { claim, endedLeftovers } = await RunClaim.take(options.state);
  const log = new BoundedLog(join(options.state, 'logs', 'supervisor.log'));
  const note = (line: string) => log.write(`${new Date().toISOString()} ${line}\n`);
  process.on('uncaughtExceptionMonitor', (error) => note(`fatal: ${error.stack ?? error.message}`));
  const say = (line: string) => {
    note(line);
    reporter.say(line);
  };
  try {
    const folder = await StateFolder.openOrCreate(options.state, options);
    folder.assertComplete();
    if (endedLeftovers.length > 0) {
      say(`ended what an earlier supervisor left behind: ${endedLeftovers.join(', ')}`);
    }
    const ports = portsFrom(folder.record.portBase);
    const { collector, backup, ...servers } = foreignServers(options, ports);
    await assertPortsFree(ports, folder.record, servers);
    if (folder.isDatabaseLost) say('the database is gone, the archive is there: starting in safe-mode');
    let told = false;
    const stack = await Stack.start({
      dir: folder.dir,
      programs: programFolder(),
      origin: folder.record.origin,
      shards: folder.record.shards,
      signer: folder.record.signer,
      stream: folder.record.stream,
      archive: folder.record.archive,
      ...servers,
      backup,
      variables: collectorVariables(collector),
      ...(backup === undefined
        ? {}
        : { workerVariables: (app) => (app === 'auditor' ? backupVariables(backup) : {}) }),
      ports,
      // Also where only the files of the database exist and nothing is in it.
      ...(folder.record.establishedAt === null
        ? {}
        : {
            restore:
              'The database is empty although there was a chain; it is to be rebuilt from the archive.',
          }),
      signal: abort.signal,
      say,
      onChange: (service, what) => {
        record(claim, service);
        // On the way up the progress lines tell it; what happens later is news.
        if (told) say(`${service.name}: ${what}`);
        else note(`${service.name}: ${what}`);
      },
    });
    try {
      const restoring = await stack.isRestoring();
      if (!restoring) {
        say('waiting until it is ready');
        await stack.whenReady(abort.signal);
        await folder.establish();
      }
      await writeEnvironmentFile(folder.environmentFile, environmentOf(folder, stack));
      const auditor = stack.workers.find(({ app }) => app === 'auditor')?.environment ?? {};
      await writeEnvironmentFile(folder.auditorEnvironmentFile, [
        { comment: "Written by ./kernel up: the auditor's environment, for ./kernel audit run." },
        ...Object.entries(auditor).map(([name, value]) => ({ name, value })),
      ]);
      if (backup !== undefined) {
        const { superuserUrl } = stack.postgres;
        await writeEnvironmentFile(folder.backupEnvironmentFile, [
          { comment: 'Written by ./kernel up: for ./kernel backup --state, also while this kernel is down.' },
          ...Object.entries({ ...backupVariables(backup), KERNEL_BACKUP_DATABASE_URL: superuserUrl }).map(
            ([name, value]) => ({ name, value }),
          ),
        ]);
      }
      const [kernel] = stack.kernels;
      reporter.ready({
        dir: folder.dir,
        origin: folder.record.origin,
        apiUrl: kernel?.apiUrl ?? '',
        webUrl: `http://localhost:${ports.web}`,
        managementUrl: kernel?.managementUrl ?? '',
        signingProxyUrl: stack.signingProxyUrl,
        environmentFile: folder.environmentFile,
        seconds: (performance.now() - started) / 1000,
        restoring,
      });
      told = true;
      note(restoring ? 'in safe-mode, to be restored' : 'ready');
      const signal = await stopAsked;
      told = false;
      say(`stopping (${signal})`);
    } finally {
      await stack.stop();
    }
    say('stopped');
  } catch (error) {
    if (abort.signal.aborted) return say('stopped before it was ready');
    note(`failed: ${(error as Error).message}`);
    throw error;
  } finally {
    claim.release();
    log.close();
  }
}

/** Settles on the first request to stop; a second Ctrl-C ends this process at once (the guard then ends the others). */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        resolve(signal);
        if (signal !== 'SIGINT') return;
        process.removeAllListeners('SIGINT');
      });
    }
  });
}

async function assertPortsFree(
  ports: StackPorts,
  { signer, stream, archive }: StateRecord,
  { brokers, bucket }: Servers,
): Promise<void> {
  for (const { api, management } of ports.kernels) {
    await assertPortFree(api, 'service API');
    await assertPortFree(management, 'management');
  }
  await assertPortFree(ports.web, 'pages for people');
  await assertPortFree(ports.identityProvider, 'identity provider');
  await assertPortFree(ports.signingProxy, 'signing proxy');
  await assertPortFree(ports.postgres, 'PostgreSQL');
  await assertPortFree(ports.signingProxyManagement, "signing proxy's management");
  for (const { app, management, listen } of ports.workers) {
    await assertPortFree(management, `management of ${app}`);
    if (listen !== undefined) await assertPortFree(listen, app);
  }
  if (stream === 'kafka' && brokers === undefined) await assertPortFree(ports.kafka, 'Kafka');
  if (archive === 's3' && bucket === undefined) await assertPortFree(ports.s3, 'S3 server');
  if (signer === 'vault-transit') await assertPortFree(ports.openBao, 'OpenBao');
}

function record(claim: RunClaim, service: SupervisedService): void {
  claim.update(service.name, {
    process: service.current?.identity ?? null,
    state: service.state,
    restarts: service.restarts,
  });
}

function environmentOf(folder: StateFolder, stack: Stack): EnvironmentLine[] {
  const { identities, postgres, options, archive, stream } = stack;
  const [kernel] = stack.kernels;
  const variable = (name: string, value: string): EnvironmentLine => ({ name, value });
  const lines: EnvironmentLine[] = [
    { comment: 'Written by ./kernel up. In a shell: set -a; . <this file>; set +a' },
    variable('KERNEL_API_URL', kernel?.apiUrl ?? ''),
    variable('KERNEL_MANAGEMENT_URL', kernel?.managementUrl ?? ''),
    variable('KERNEL_SIGNING_PROXY_URL', stack.signingProxyUrl),
    variable('KERNEL_ORIGIN', options.origin),
    { comment: 'The pages for people, and the identity provider at which they sign in.' },
    variable('KERNEL_WEB_URL', `http://localhost:${options.ports.web}`),
    variable('KERNEL_OIDC_ISSUER', stack.identityProvider?.issuer ?? ''),
    { comment: 'The public part of the transparency log, without a certificate.' },
    variable('KERNEL_LOG_URL', stack.workers.find(({ app }) => app === 'log-publisher')?.listenUrl ?? ''),
    { comment: 'The archive, and the stream.' },
    // Also of a bucket: readers look for it, and the folder is then empty.
    variable('KERNEL_ARCHIVE_DIR', folder.archive),
    ...Object.entries({ ...archive.environment, ...stream.environment })
      .filter(([name]) => name !== 'KERNEL_ARCHIVE_DIR')
      .map(([name, value]) => variable(name, value)),
    { comment: 'The development CA and client certificates (mutual TLS).' },
    variable('KERNEL_CA_CERT', identities.caCert),
  ];
  for (const name of Object.keys(DEVELOPMENT_CALLERS) as DevelopmentCaller[]) {
    lines.push(variable(`KERNEL_${name}_CERT`, identities.callers[name].cert));
    lines.push(variable(`KERNEL_${name}_KEY`, identities.callers[name].key));
  }
  lines.push({
    comment: `The development pool of ${APPROVER_COUNT} approvers: approval key and TLS identity.`,
  });
  identities.approvers.forEach((approver, n) => {
    const prefix = `KERNEL_APPROVER_${n + 1}`;
    lines.push(variable(`${prefix}_ID`, approver.id));
    lines.push(variable(`${prefix}_KEY`, approver.approvalKey));
    lines.push(variable(`${prefix}_CERT`, approver.tls.cert));
    lines.push(variable(`${prefix}_TLS_KEY`, approver.tls.key));
  });
  lines.push({
    comment: 'The event store: as the kernel sees it, as the workers do, and as its owner (migrations).',
  });
  lines.push(variable('DATABASE_URL', postgres.runtimeUrl));
  lines.push(variable('DATABASE_WORKER_URL', postgres.workerUrl));
  lines.push(variable('DATABASE_OWNER_URL', postgres.ownerUrl));
  return lines;
}
