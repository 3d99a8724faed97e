import { type Config, type MemberDefinition } from '../config/define-config';
import { certificateFile, decimal, matching, readableFile, url } from '../config/setting-types';

/** Names as OpenTelemetry has them (its specification, "OTLP exporter" and "environment variables"). */
export const tracingSettings = {
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    schema: url('http', 'https').optional(),
    description:
      'Base URL of the OpenTelemetry collector that spans are sent to, OTLP over HTTP; they go to /v1/traces under it. Without it nothing is recorded; the `traceparent` of a caller is passed on all the same.',
  },
  OTEL_EXPORTER_OTLP_HEADERS: {
    schema: matching(
      /^[^=,\s]+=[^,\s]*(,[^=,\s]+=[^,\s]*)*$/,
      'name=value,name=value, the values percent-encoded',
    ).optional(),
    description: 'Headers for the collector, as a rule its token.',
    secret: true,
  },
  OTEL_EXPORTER_OTLP_CERTIFICATE: {
    schema: certificateFile('authorities').optional(),
    description:
      "PEM file of the authorities of the collector's certificate; read once. Default those of Node.js.",
  },
  OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: {
    schema: certificateFile().optional(),
    description: 'PEM file of the certificate that this process shows the collector; read once.',
  },
  OTEL_EXPORTER_OTLP_CLIENT_KEY: {
    schema: readableFile().optional(),
    description: 'PEM file of its private key.',
  },
  OTEL_TRACES_SAMPLER_ARG: {
    schema: decimal({ min: 0, max: 1 }),
    description:
      'Part of the traces that begin here which is recorded. What a caller records is recorded here too, and so is every request that fails with a 5xx.',
    default: 0.1,
  },
} as const satisfies Record<string, MemberDefinition>;

export type TracingSettings = Config<typeof tracingSettings>;

/** Headers of the setting: `name=value,name=value`, percent-encoded. */
export function headersOf(text: string | undefined): Record<string, string> {
  const pairs = (text ?? '').split(',').filter((pair) => pair !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      return [pair.slice(0, at), decodeURIComponent(pair.slice(at + 1))];
    }),
  );
}
