import { GuardedBackend, type SigningBackend } from '#platform/signer';
import { type SigningMetrics } from './signing.metrics';
import { type SigningProxyOptions } from './signing-proxy.options';

/** Gives each backend its deadline and circuit breaker, and records the results of its calls in metrics and log. */
export function guardBackends(
  { backends, guard, logger }: SigningProxyOptions,
  metrics: SigningMetrics,
): SigningBackend[] {
  return backends.map((backend) => {
    metrics.circuit(backend.name, false);
    return new GuardedBackend(backend, {
      ...guard,
      observer: {
        onSign: (seen) => metrics.backendAnswered(seen),
        onCircuit: (name, reason) => {
          metrics.circuit(name, reason !== null);
          if (reason === null) logger.info({ backend: name }, 'the backend signs again');
          else logger.error({ backend: name, reason }, 'the backend fails and gets a rest');
        },
      },
    });
  });
}
