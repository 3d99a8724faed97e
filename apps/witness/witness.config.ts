import {
  certificateFile,
  type ConfigOf,
  defineConfig,
  path,
  port,
  processSettings,
  readableFile,
  text,
  url,
  wholeNumber,
} from '#platform/process';

/** Every setting of the witness; docs/configuration.md is generated from it. */
export const witnessConfig = defineConfig({
  KERNEL_WITNESS_DIR: {
    schema: path(),
    description:
      'Folder of the witness, which `./kernel witness init` makes: its key (`witness.key`), its state (`state`) and the logs it knows (`logs`).',
  },
  KERNEL_WITNESS_LOGS: {
    schema: readableFile().optional(),
    description:
      'The logs that it cosigns, one line each: `log <vkey> [<url>]`; one with a URL is followed. Default: `logs` in the folder.',
  },
  KERNEL_LISTEN_HOST: {
    schema: text(),
    description: 'Address on which logs submit their checkpoints (c2sp.org/tlog-witness).',
    default: '127.0.0.1',
  },
  KERNEL_LISTEN_PORT: { schema: port(), description: 'Its port.', default: 8470 },
  KERNEL_TLS_CERT_FILE: {
    schema: certificateFile().optional(),
    description:
      'Certificate chain (PEM) of that address. Without one it speaks plain HTTP, for a proxy in front of it.',
  },
  KERNEL_TLS_KEY_FILE: {
    schema: readableFile().optional(),
    description: 'The private key that belongs to it (PEM).',
  },
  KERNEL_WITNESS_FOLLOW: {
    schema: url('http', 'https').optional(),
    description:
      "A kernel's published log (its KERNEL_LOG_URL): the logs `<origin>/log/<shard>` without a URL of their own are followed there.",
  },
  KERNEL_WITNESS_FOLLOW_CA: {
    schema: readableFile().optional(),
    description: 'Authorities (PEM) of the servers of followed logs, where the system does not know them.',
  },
  KERNEL_WITNESS_FOLLOW_SECONDS: {
    schema: wholeNumber({ min: 1, max: 86_400 }),
    description: 'Time between two looks at a followed log.',
    default: 10,
    unit: 'seconds',
  },
  KERNEL_WITNESS_PUBLISH_DIR: {
    schema: path().optional(),
    description:
      'Folder for the newest cosigned checkpoint of each log, for others to read. Default: none are written.',
  },
  ...processSettings(8471),
});

export type WitnessConfig = ConfigOf<typeof witnessConfig>;
