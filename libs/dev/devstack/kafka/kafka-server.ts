import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { javaProgram, kafkaJars, kafkaMissing } from './kafka-program';
import { DevstackError } from '../devstack.error';
import { BoundedLog } from '../process/bounded-log';
import { type RunningChild, startChild } from '../process/child-process';
import { makeFolder } from '../process/folder';
import { assertPortFree, freePort, startOnFreePort } from '../process/free-port';
import { SupervisedService } from '../process/supervised-service';

const HOST = '127.0.0.1';
/** Three JVM seconds on an idle machine; a loaded one takes its time. */
const START_TIMEOUT_MS = 90_000;
const STOP_GRACE_MS = 10_000;
const DEFAULT_HEAP_MB = 256;

export interface KafkaServerOptions {
  /** Folder for data, settings and log; made when it does not exist, taken up again when it does. */
  dir: string;
  /** TCP port on 127.0.0.1; a free one when left out. */
  port?: number;
  /** Where the broker's own log goes; default `<dir>/kafka.log`. */
  logFile?: string;
  /** Largest Java heap; default 256 MB. */
  heapMb?: number;
  /** Broker settings (server.properties) beyond those that are made here. */
  settings?: Readonly<Record<string, string>>;
  /** A second listener for clients that connect over TLS with a name and a password (SASL PLAIN), on a free port. */
  secured?: {
    /** PEM: private key (PKCS #8), then the certificate chain. */
    keystoreFile: string;
    users: Readonly<Record<string, string>>;
  };
  /** Start it again when it dies; default true. */
  restart?: boolean;
  /** Called with what happens to the process. */
  onChange?: (service: SupervisedService, note: string) => void;
}

export interface KafkaServer {
  /** 127.0.0.1:<port>, to be given to clients as their bootstrap server. */
  readonly broker: string;
  /** The same for the secured listener, if there is one. */
  readonly securedBroker: string | undefined;
  readonly port: number;
  readonly pid: number | undefined;
  readonly restarts: number;
  /** Kills it outright and waits until it is gone. It comes back by itself unless `restart` is off. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Suspends the process (SIGSTOP): connections stay open and nothing answers, until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** Settles when it answers. */
  whenReady(timeoutMs?: number): Promise<void>;
  /** Starts it after `stop`, or after `kill` with `restart` off. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a real Kafka broker on the loopback address: one KRaft node that is its own controller, everything stored
 * once. For development and tests only.
 * @throws DevstackError `tool_missing` where Kafka or Java is not installed
 */
export async function startKafkaServer(options: KafkaServerOptions): Promise<KafkaServer> {
  const missing = kafkaMissing();
  if (missing !== null) throw new DevstackError('tool_missing', `There is no Kafka broker here: ${missing}.`);
  await makeFolder(options.dir, 0o700);
  const log = new BoundedLog(options.logFile ?? join(options.dir, 'kafka.log'));

  if (options.port !== undefined) await assertPortFree(options.port, 'Kafka');
  return startOnFreePort(async () => {
    const port = options.port ?? (await freePort());
    const securedPort = options.secured === undefined ? undefined : await freePort();
    const service = new SupervisedService({
      name: 'kafka',
      stopGraceMs: STOP_GRACE_MS,
      restart: options.restart !== false,
      ...(options.onChange === undefined ? {} : { onChange: options.onChange }),
      start: (signal) => startBroker({ options, port, securedPort, log, signal }),
    });
    await service.start();
    return serverOf(service, port, securedPort);
  });
}

function serverOf(service: SupervisedService, port: number, securedPort: number | undefined): KafkaServer {
  return {
    broker: `${HOST}:${port}`,
    securedBroker: securedPort === undefined ? undefined : `${HOST}:${securedPort}`,
    port,
    get pid() {
      return service.current?.pid;
    },
    get restarts() {
      return service.restarts;
    },
    kill: (signal) => service.kill(signal),
    freeze: () => service.current?.kill('SIGSTOP'),
    thaw: () => service.current?.kill('SIGCONT'),
    async whenReady(timeoutMs = START_TIMEOUT_MS) {
      const deadline = Date.now() + timeoutMs;
      while (!(await answers(port))) {
        if (Date.now() > deadline) {
          throw new DevstackError('process_failed', `Kafka did not come back within ${timeoutMs} ms.`);
        }
        await delay(20);
      }
    },
    start: () => service.start(),
    async stop() {
      // A frozen process would only be killed, after the whole grace.
      service.current?.kill('SIGCONT');
      await service.stop();
    },
  };
}

interface BrokerStart {
  options: KafkaServerOptions;
  port: number;
  securedPort: number | undefined;
  log: BoundedLog;
  signal: AbortSignal;
}

async function startBroker({ options, port, securedPort, log, signal }: BrokerStart): Promise<RunningChild> {
  const properties = join(options.dir, 'server.properties');
  const data = join(options.dir, 'data');
  // Private: passwords may be in it.
  await writeFile(properties, await serverProperties({ options, port, securedPort, data }), { mode: 0o600 });
  if (!existsSync(join(data, 'meta.properties'))) await format(options.dir, properties, log);
  signal.throwIfAborted();

  const heap = `-Xmx${options.heapMb ?? DEFAULT_HEAP_MB}m`;
  const child = await java(
    options.dir,
    log,
    [heap, '-Xms64m', '-XX:+UseSerialGC'],
    ['kafka.Kafka', properties],
  );
  const deadline = Date.now() + START_TIMEOUT_MS;
  try {
    while (!(await answers(port))) {
      if (child.exit !== undefined) throw startFailure(log, port);
      if (Date.now() > deadline) {
        throw new DevstackError('process_failed', `Kafka did not start within ${START_TIMEOUT_MS} ms.`);
      }
      signal.throwIfAborted();
      await delay(20);
    }
    // Another broker may have answered on that port while ours found it taken.
    if (child.exit !== undefined) throw startFailure(log, port);
    return child;
  } catch (error) {
    await child.stop(STOP_GRACE_MS);
    throw error;
  }
}

/** Gives the data folder its identity (kafka-storage.sh format). */
async function format(dir: string, properties: string, log: BoundedLog): Promise<void> {
  // 16 random bytes; one that begins with a dash would be taken for an option.
  const clusterId = randomBytes(16).toString('base64url').replace(/^-/, 'A');
  const tool = await java(
    dir,
    log,
    ['-Xmx128m', '-XX:TieredStopAtLevel=1'],
    [
      'kafka.tools.StorageTool',
      ...['format', '--ignore-formatted', '--cluster-id', clusterId, '--config', properties],
    ],
  );
  const { code } = await tool.exited;
  if (code === 0) return;
  throw new DevstackError(
    'process_failed',
    `Kafka's data folder could not be made: ${log.tail(12).at(-1) ?? 'no message'} (log: ${log.file}).`,
    { log: log.file },
  );
}

function java(
  dir: string,
  log: BoundedLog,
  machine: readonly string[],
  program: readonly string[],
): Promise<RunningChild> {
  return startChild({
    command: javaProgram() as string,
    args: [
      ...['-cp', join(kafkaJars(), '*'), ...machine],
      '-Djava.awt.headless=true',
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-Dorg.slf4j.simpleLogger.showDateTime=true',
      '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss,SSS',
      ...program,
    ],
    env: {},
    cwd: dir,
    log,
  });
}

interface Properties {
  options: KafkaServerOptions;
  port: number;
  securedPort: number | undefined;
  data: string;
}

async function serverProperties({ options, port, securedPort, data }: Properties): Promise<string> {
  const controller = `${HOST}:${await freePort()}`;
  const listeners = [`PLAINTEXT://${HOST}:${port}`];
  if (securedPort !== undefined) listeners.push(`SASL_SSL://${HOST}:${securedPort}`);
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${controller}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL',
    listeners: [...listeners, `CONTROLLER://${controller}`].join(','),
    'advertised.listeners': listeners.join(','),
    'log.dirs': data,
    // Everything is stored once, and what Kafka keeps for itself in as few files as possible.
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    // Topics are made by the process that knows how many partitions they must have.
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    // After a kill, the controller lets the broker register again only when the old registration has run out.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    'num.network.threads': '2',
    'num.io.threads': '4',
    // For Kafka's own topics, which stay small; the default takes half of the heap.
    'log.cleaner.dedupe.buffer.size': '4194304',
    ...(options.secured === undefined ? {} : securedListener(options.secured)),
    ...options.settings,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('');
}

function securedListener({
  keystoreFile,
  users,
}: NonNullable<KafkaServerOptions['secured']>): Record<string, string> {
  const accounts = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`);
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': keystoreFile,
    'sasl.enabled.mechanisms': 'PLAIN',
    'listener.name.sasl_ssl.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required ${accounts.join(' ')};`,
  };
}

function startFailure(log: BoundedLog, port: number): DevstackError {
  const lines = log.tail();
  if (lines.some((line) => line.includes('Address already in use'))) {
    return new DevstackError('port_in_use', `Port ${port} (Kafka), or its controller's, is already in use.`, {
      port,
    });
  }
  // A Java stack trace tells least in its last line.
  const said = lines.findLast((line) => /ERROR|Exception/.test(line)) ?? lines.at(-1) ?? 'no message';
  return new DevstackError('process_failed', `Kafka did not start: ${said} (log: ${log.file}).`, {
    log: log.file,
    lines,
  });
}

/** Metadata request, version 1, about no topic, from a nameless client (Kafka protocol guide). */
const METADATA_REQUEST = Buffer.from([0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 255, 255, 0, 0, 0, 0]);

/** Whether the broker is part of its cluster, since only then can clients use it: it then names itself. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = Buffer.alloc(0);
    const socket = connect(port, HOST);
    const done = (result: boolean): void => {
      resolve(result);
      socket.destroy();
    };
    socket.setTimeout(2_000, () => done(false));
    socket.once('connect', () => socket.write(METADATA_REQUEST));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      // Size, correlation id, number of brokers.
      if (answer.length >= 12) done(answer.readInt32BE(8) > 0);
    });
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
  });
}
