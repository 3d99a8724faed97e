import { archiveSettings } from '#platform/archive';
import { followerSettings } from '#platform/audit-stream';
import {
  certificateFile,
  defineConfig,
  port,
  processSettings,
  readableFile,
  text,
  wholeNumber,
} from '#platform/process';
import { DEFAULT_LEASE_MS } from '#platform/postgres';
import { documentSigningSettings } from '#platform/signer';

/** Every setting of the log publisher; docs/configuration.md is generated from it. */
export const logPublisherConfig = defineConfig({
  ...followerSettings('logged'),
  ...archiveSettings,
  KERNEL_LOG_LISTEN_HOST: {
    schema: text(),
    description: 'Address on which the public part of the log is served (HTTP): checkpoints and hash tiles.',
    default: '0.0.0.0',
  },
  KERNEL_LOG_LISTEN_PORT: {
    schema: port(),
    description: 'Port of the public part of the log.',
    default: 8459,
  },
  KERNEL_LOG_INTERVAL_MS: {
    schema: wholeNumber({ min: 100, max: 60_000 }),
    description: 'Least time between two checkpoints of a shard while there are new events.',
    default: 1_000,
    unit: 'ms',
  },
  KERNEL_LOG_REPUBLISH_SECONDS: {
    schema: wholeNumber({ min: 10, max: 600 }),
    description:
      'Longest time without a new checkpoint, so that cosignatures stay fresh when nothing happens.',
    default: 600,
    unit: 'seconds',
  },
  KERNEL_LOG_POLICY_FILE: {
    schema: readableFile().optional(),
    description:
      'Whose cosignatures a checkpoint needs before it is published: a c2sp.org/tlog-policy with the URL of each witness and a quorum. Without it nobody is asked.',
  },
  KERNEL_LOG_WITNESS_CA_FILE: {
    schema: certificateFile('authorities').optional(),
    description: "The authorities (PEM) of the witnesses' certificates, when the system does not know them.",
  },
  KERNEL_LOG_COSIGN_TIMEOUT_MS: {
    schema: wholeNumber({ min: 100, max: 60_000 }),
    description:
      'How long a checkpoint waits for the quorum of its witnesses before it is given up for a newer one.',
    default: 2_000,
    unit: 'ms',
  },
  KERNEL_LOG_LEASE_MS: {
    schema: wholeNumber({ min: 500, max: 60_000 }),
    description:
      'How long other publishers wait for one that went silent before they take its shards over. One that was killed is followed at once. DATABASE_URL has to be a direct address for this, not that of a pooler.',
    default: DEFAULT_LEASE_MS,
    unit: 'ms',
  },
  ...documentSigningSettings(
    'log-checkpoint',
    'checkpoints. While it is unavailable none is published, events wait.',
  ),
  ...processSettings(8458),
});
