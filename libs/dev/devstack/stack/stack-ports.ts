import { listenOffset, WORKER_APPS, WORKER_NAMES, type WorkerName } from './worker-apps';

/** Every port of a stack on one machine. */
export interface StackPorts {
  /** One entry per kernel process. */
  kernels: readonly { api: number; management: number }[];
  /** Port of the listener for people. */
  web: number;
  /** Port of the development identity provider. */
  identityProvider: number;
  signingProxy: number;
  signingProxyManagement: number;
  postgres: number;
  /** One entry per worker process. */
  workers: readonly WorkerPorts[];
  /** Ports of the broker and of the S3 server, where the stack has them. */
  kafka: number;
  s3: number;
  /** Port of the server that holds the keys, with the signer `vault-transit`. */
  openBao: number;
}

export interface WorkerPorts {
  app: WorkerName;
  management: number;
  /** Port on which a worker serves readers, where it does: the log publisher serves the log. */
  listen?: number;
}

/** The first of the ports that `--port-base` moves. */
export const DEFAULT_PORT_BASE = 8440;
const SIGNING_PROXY_MANAGEMENT = 10;
/** From here on up to 14, and from 18 on: the workers (WORKER_APPS). */
const KAFKA = 15;
const S3 = 16;
const OPENBAO = 17;
/** The highest offset in use, so that the base can be checked. */
const HIGHEST_OFFSET = 19;
export const MAX_PORT_BASE = 65_535 - HIGHEST_OFFSET;

/** The offsets are part of the launcher's contract (docs/getting-started.md): scripts and people rely on them. */
export function portsFrom(base: number): StackPorts {
  return {
    web: base,
    kernels: [{ api: base + 3, management: base + 4 }],
    signingProxy: base + 5,
    postgres: base + 6,
    identityProvider: base + 7,
    signingProxyManagement: base + SIGNING_PROXY_MANAGEMENT,
    workers: WORKER_NAMES.map((app) => {
      const listen = listenOffset(app);
      return {
        app,
        management: base + WORKER_APPS[app].portOffset,
        ...(listen === undefined ? {} : { listen: base + listen }),
      };
    }),
    kafka: base + KAFKA,
    s3: base + S3,
    openBao: base + OPENBAO,
  };
}
