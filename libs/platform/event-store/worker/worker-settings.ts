import { MAX_SHARDS } from '#evidence';
import { matching, type MemberDefinition, url, wholeNumber } from '#platform/process';

/**
 * Settings for the kernel of a worker's events, and their place; workers spread them into their own `defineConfig`,
 * first.
 */
export const workerSettings = (done: 'published' | 'indexed' | 'archived' | 'logged' | 'audited') =>
  ({
    KERNEL_ORIGIN: {
      schema: matching(/^[a-z0-9]([a-z0-9._/-]{0,253}[a-z0-9])?$/, 'a name such as kernel.example.com/prod'),
      description: `The kernel whose events are ${done}, exactly as in the kernel's own setting.`,
    },
    KERNEL_SHARDS: {
      schema: wholeNumber({ min: 1, max: MAX_SHARDS }),
      description: "How many chains the events are spread over, as in the kernel's own setting.",
      default: 1,
    },
    DATABASE_URL: {
      schema: url('postgres', 'postgresql'),
      description: "PostgreSQL, as the workers' role.",
      secret: true,
      rotates: true,
    },
  }) as const satisfies Record<string, MemberDefinition>;
