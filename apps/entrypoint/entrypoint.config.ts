import { defineConfig, path, port, text } from '#platform/process';

/** What the entrypoint reads of the environment; the process that it starts reads all of its own. */
export const entrypointConfig = defineConfig({
  KERNEL_MANAGEMENT_HOST: {
    schema: text(),
    description: 'Address on which the process in this container tells its health.',
    default: '0.0.0.0',
  },
  KERNEL_MANAGEMENT_PORT: {
    schema: port(),
    description: 'Port of /health, /ready and /metrics: in the image the same for every process.',
    default: 8444,
  },
  OPENAPI_PATH: {
    schema: path(),
    description:
      'The OpenAPI document that the kernel checks requests against. Missing, it stops the start at once.',
    default: '/app/openapi.yaml',
  },
});
