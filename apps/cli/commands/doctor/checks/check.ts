import { type Endpoint, type Facts, seen } from '../facts';
import { type Finding } from '../finding';

/** Judges facts: no I/O, no state. */
export interface Check {
  readonly name: string;
  look(facts: Facts): readonly Finding[];
}

/** The processes that answered with metrics. */
export function measured(facts: Facts): readonly Endpoint[] {
  return (seen(facts.endpoints) ?? []).filter(({ metrics }) => metrics !== null);
}

/** 90 s, 12 min, 5 h, 3 days. */
export function duration(seconds: number): string {
  const of = (count: number, unit: string) => `${Math.round(count)} ${unit}`;
  if (seconds < 120) return of(seconds, 's');
  if (seconds < 7200) return of(seconds / 60, 'min');
  return seconds < 172_800 ? of(seconds / 3600, 'h') : of(seconds / 86_400, 'days');
}

export function bytes(count: number): string {
  const gib = count / 1024 ** 3;
  return gib >= 1 ? `${gib.toFixed(1)} GiB` : `${Math.floor(count / 1024 ** 2)} MiB`;
}

export function when(ms: number): string {
  return new Date(ms).toISOString();
}
