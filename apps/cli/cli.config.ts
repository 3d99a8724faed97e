import { type ConfigOf, defineConfig, readableFile, text, url } from '#libs/config';

/**
 * What the operator's CLI takes from the environment: the variables of kernel.env, so that it works after
 * `set -a; . kernel.env; set +a` and against a kernel elsewhere. Options on the command line come first.
 */
export const cliConfig = defineConfig({
  KERNEL_API_URL: {
    schema: url('https').optional(),
    description: 'The service API that the commands talk to.',
  },
  KERNEL_CA_CERT: {
    schema: readableFile().optional(),
    description: "The authority (PEM) of the service API's certificate.",
  },
  KERNEL_OPERATOR_CERT: {
    schema: readableFile().optional(),
    description: "The operator's client certificate (PEM).",
  },
  KERNEL_OPERATOR_KEY: { schema: readableFile().optional(), description: 'Its private key (PEM).' },
  KERNEL_ORIGIN: {
    schema: text().optional(),
    description: 'The kernel whose chain `audit verify` expects.',
  },
  DATABASE_URL: {
    schema: url('postgres', 'postgresql').optional(),
    description: 'The event store that `audit verify` reads.',
    secret: true,
  },
});

export type CliConfig = ConfigOf<typeof cliConfig>;
