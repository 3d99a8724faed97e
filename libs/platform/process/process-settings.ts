import { type MemberDefinition } from './config/define-config';
import { oneOf, port, text } from './config/setting-types';

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
    KERNEL_LOG_LEVEL: {
      schema: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
      description: 'Least severe log line that is written.',
      default: 'info',
    },
  }) as const satisfies Record<string, MemberDefinition>;
