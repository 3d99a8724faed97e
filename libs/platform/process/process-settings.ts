import { type Config, type MemberDefinition } from './config/define-config';
import { oneOf, path, port, text } from './config/setting-types';
import { tracingSettings } from './tracing/tracing-settings';

/** Settings of every process; apps spread them into their own `defineConfig`, last. */
export const processSettings = (managementPort: number) =>
  ({
    KERNEL_MANAGEMENT_HOST: {
      schema: text(),
      description: 'Address on which /health, /ready and /metrics listen (HTTP, no secrets).',
      default: '0.0.0.0',
    },
    KERNEL_MANAGEMENT_PORT: {
      schema: port(),
      description: 'Port of /health, /ready and /metrics.',
      default: managementPort,
    },
    KERNEL_DISK_FOLDER: {
      schema: path().optional(),
      description:
        'A folder on whose disk this process, or a server beside it, writes. While that disk is full /ready fails with the check `disk`.',
    },
    KERNEL_LOG_LEVEL: {
      schema: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
      description: 'Least severe log line that is written.',
      default: 'info',
    },
    ...tracingSettings,
  }) as const satisfies Record<string, MemberDefinition>;

/** Where a process says how it is, and the disk that it watches. */
export interface ManagementPlace {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** A folder whose disk must have room. */
  readonly diskFolder?: string | undefined;
}

export function managementOf(config: Config<ReturnType<typeof processSettings>>): ManagementPlace {
  return { host: config.managementHost, port: config.managementPort, diskFolder: config.diskFolder };
}
