import { Injectable } from '@nestjs/common';
import { Gauge, Registry } from '#platform/process';
import { KERNEL_MODES } from './domain/kernel-mode';
import { ModeRecorder } from './mode-recorder';
import { ModeWatch } from './mode-watch';

/** Metrics of the mode for Prometheus. */
@Injectable()
export class ModeMetrics {
  constructor(registry: Registry, watch: ModeWatch, recorder: ModeRecorder) {
    const registers = [registry];
    new Gauge({
      name: 'kernel_mode',
      help: '1 for the mode that the kernel is in, 0 for the others.',
      labelNames: ['mode'],
      registers,
      collect() {
        for (const mode of KERNEL_MODES) this.set({ mode }, watch.current.mode === mode ? 1 : 0);
      },
    });
    new Gauge({
      name: 'kernel_mode_restoring',
      help: '1 while the store is being rebuilt from the archive.',
      registers,
      collect() {
        this.set(watch.current.restoring ? 1 : 0);
      },
    });
    new Gauge({
      name: 'kernel_mode_changes_unrecorded',
      help: 'Changes of the mode that are not in the chain yet, because nothing can be signed now.',
      registers,
      collect() {
        this.set(recorder.unrecorded);
      },
    });
  }
}
