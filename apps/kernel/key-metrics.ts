import { type KeyAgeWatch } from '#modules/key-registry';
import { Gauge, type Registry } from '#platform/process';

/** What the keys tell Prometheus. */
export class KeyMetrics {
  constructor(registry: Registry, watch: KeyAgeWatch) {
    const registers = [registry];
    const labelNames = ['kid', 'purposes'] as const;
    new Gauge({
      name: 'kernel_key_age_seconds',
      help: 'Age of each active key, from its registration on.',
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const { kid, purposes, since } of watch.ages) {
          this.set({ kid, purposes: purposes.join(',') }, (Date.now() - Date.parse(since)) / 1_000);
        }
      },
    });
    new Gauge({
      name: 'kernel_key_rotation_due',
      help: '1 for a key in force that is older than KERNEL_KEY_MAX_AGE_DAYS. Alert on it.',
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const { kid, purposes, due } of watch.ages) {
          this.set({ kid, purposes: purposes.join(',') }, due ? 1 : 0);
        }
      },
    });
  }
}
