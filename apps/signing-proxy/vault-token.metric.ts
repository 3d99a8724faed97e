import { Gauge, processRegistry } from '#platform/process';

/** @returns takes when the token in use ends (milliseconds since 1970); null: none is in use, or it does not end */
export function vaultTokenGauge(): (at: number | null) => void {
  const name = 'kernel_vault_token_expiry_timestamp_seconds';
  const existing = processRegistry.getSingleMetric(name) as Gauge | undefined;
  const gauge =
    existing ??
    new Gauge({
      name,
      help: 'When the token ends with which this process signs at Vault; it renews it before. No value for one without an end.',
      registers: [processRegistry],
    });
  gauge.remove();
  return (at) => (at === null ? gauge.remove() : gauge.set(at / 1_000));
}
