import { MAX_SHARDS } from '#evidence';
import { type ConfigOf, defineConfig, matching, oneOf, text, url, wholeNumber } from '#platform/process';

const role = () => matching(/^[^\p{Cc}]{1,63}$/u, 'the name of a role of PostgreSQL');

/** Every setting of the migration; docs/configuration.md is generated from it. */
export const migrateConfig = defineConfig({
  KERNEL_ORIGIN: {
    schema: matching(/^[a-z0-9]([a-z0-9._/-]{0,253}[a-z0-9])?$/, 'a name such as kernel.example.com/prod'),
    description:
      "Name of the kernel whose database it is, exactly as in the kernel's own setting. Fixed for the life of the database.",
  },
  KERNEL_SHARDS: {
    schema: wholeNumber({ min: 1, max: MAX_SHARDS }),
    description: "How many chains the events are spread over, as in the kernel's own setting. Fixed as well.",
    default: 1,
  },
  DATABASE_OWNER_URL: {
    schema: url('postgres', 'postgresql'),
    description:
      "The kernel's database as the role that owns the schema. The kernel and its workers must not have it.",
    secret: true,
  },
  KERNEL_RUNTIME_ROLE: {
    schema: role(),
    description: "The role of the kernel's `DATABASE_URL`: it gets what the kernel needs, and nothing else.",
    default: 'kernel_runtime',
  },
  KERNEL_WORKER_ROLE: {
    schema: role(),
    description: "The role of the workers' `DATABASE_URL`: relay, indexer, archiver, log publisher, auditor.",
    default: 'kernel_worker',
  },
  KERNEL_PARTITION_EVENTS: {
    schema: wholeNumber({ min: 10, max: 1_000_000_000 }).optional(),
    description:
      'Events in each partition of the event log that is made from now on. Left out: as it is, at first 5,000,000.',
  },
  DATABASE_ADMIN_URL: {
    schema: url('postgres', 'postgresql').optional(),
    description: 'For `--create-roles` alone: the same server as a superuser. Take it away afterwards.',
    secret: true,
  },
  DATABASE_RUNTIME_PASSWORD: {
    schema: text().optional(),
    description:
      "For `--create-roles` alone: the password that the kernel's role gets. Left out: it is left as it is.",
    secret: true,
  },
  DATABASE_WORKER_PASSWORD: {
    schema: text().optional(),
    description: "The same of the workers' role.",
    secret: true,
  },
  KERNEL_LOG_LEVEL: {
    schema: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    description: 'Least severe log line that is written.',
    default: 'info',
  },
});

export type MigrateConfig = ConfigOf<typeof migrateConfig>;
