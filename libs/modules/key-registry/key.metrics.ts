import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Registry } from '#platform/process';
import { KeyAgeWatch } from './key-age-watch';
import { RegisteredSigners } from './registered-signers';

/** Metrics of the keys for Prometheus. */
@Injectable()
export class KeyMetrics {
  constructor(registry: Registry, watch: KeyAgeWatch, registered: RegisteredSigners) {
    const registers = [registry];
    new Gauge({
      name: 'kernel_key_events_refused',
      help: 'Rows of the event table that say they change the keys and that no key signed. Alert on any.',
      registers,
      collect() {
        this.set(registered.refused);
      },
    });
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

/** Counts the signatures of the keys. */
@Injectable()
export class SignatureMetrics {
  private readonly signatures: Counter<'purpose'>;

  constructor(registry: Registry) {
    this.signatures = new Counter({
      name: 'signatures_total',
      help: 'Signatures received from the signing proxy.',
      labelNames: ['purpose'],
      registers: [registry],
    });
  }

  onSignatures(purpose: 'audit' | 'manifest', count: number): void {
    this.signatures.inc({ purpose }, count);
  }
}
