import { Counter, Gauge, type Registry } from '#platform/process';
import { type Refusal, type WitnessObserver } from './cosign/witness';

const RESULTS: readonly ('cosigned' | Refusal)[] = [
  'cosigned',
  'malformed',
  'unknown_log',
  'bad_signature',
  'old_size',
  'smaller',
  'split_view',
  'inconsistent',
];
/** What only the log's key can have made: two signed roots of one size. */
const ALARM: Refusal = 'split_view';

/** Metrics of the witness; the labels are names of logs that it knows. */
export class WitnessMetrics implements WitnessObserver {
  private readonly checkpoints: Counter<'log' | 'result'>;
  private readonly size: Gauge<'log'>;
  private readonly alarm: Gauge<'log'>;
  private readonly looks: Counter<'log' | 'result'>;

  constructor(registry: Registry, logs: Iterable<string>) {
    const registers = [registry];
    this.checkpoints = new Counter({
      name: 'witness_checkpoints_total',
      help: 'Checkpoints that were submitted or found, by what became of them.',
      labelNames: ['log', 'result'],
      registers,
    });
    this.size = new Gauge({
      name: 'witness_log_size',
      help: 'Size of the newest cosigned checkpoint.',
      labelNames: ['log'],
      registers,
    });
    this.alarm = new Gauge({
      name: 'witness_log_inconsistent',
      help: 'Whether the log has signed another root of a size that was cosigned (1), since this process started.',
      labelNames: ['log'],
      registers,
    });
    this.looks = new Counter({
      name: 'witness_looks_total',
      help: 'Looks at followed logs, by what came of them.',
      labelNames: ['log', 'result'],
      registers,
    });
    for (const log of logs) {
      this.alarm.set({ log }, 0);
      for (const result of RESULTS) this.checkpoints.inc({ log, result }, 0);
    }
  }

  onAnswer(log: string | null, result: 'cosigned' | Refusal, size: number | null): void {
    this.checkpoints.inc({ log: log ?? '', result });
    if (log === null) return;
    if (size !== null) this.size.set({ log }, size);
    if (result === ALARM) this.alarm.set({ log }, 1);
  }

  onLook(log: string, result: string): void {
    this.looks.inc({ log, result });
  }
}
