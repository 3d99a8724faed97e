import { type ChainFault, type EventFacts } from '#evidence';
import { type ChainVerdict } from '../chain-verdict';
import { type TaskResult } from './inspected-events';
import { FactsReader } from './pack-facts';

/**
 * Gives a verdict the events of one task.
 * @param linesBefore how many lines of the file other tasks have read
 */
export function acceptAll(verdict: ChainVerdict, result: TaskResult, linesBefore: number): void {
  eachInspected(result, linesBefore, (facts, faults, formatted, leaf) =>
    verdict.accept(facts, faults, formatted, leaf),
  );
  verdict.hidden(result.registry);
}

export type TakeInspected = (
  facts: EventFacts | null,
  faults: readonly ChainFault[],
  formatted: boolean,
  /** Leaf hash of the log in hex, where it is wanted and the format is right. */
  leaf: string | null,
  where: string,
) => void;

/** Packed events and odd ones, in the order in which they were read. */
export function eachInspected(
  { facts: packed, faults, odd }: TaskResult,
  linesBefore: number,
  take: TakeInspected,
): void {
  const reader = new FactsReader(packed);
  const faultsAt = new Map(faults);
  let next = 0;
  for (let i = 0; i <= packed.count; i++) {
    for (let o = odd[next]; o !== undefined && o.before === i; o = odd[++next]) {
      const where = typeof o.where === 'number' ? `line ${linesBefore + o.where + 1}` : o.where;
      const located = o.faults.map((fault) => ({ ...fault, message: `${where}: ${fault.message}` }));
      take(o.facts, located, false, null, where);
    }
    if (i === packed.count) return;
    const facts = reader.at(i);
    take(facts, faultsAt.get(i) ?? NO_FAULTS, true, reader.leafAt(i), facts.id);
  }
}

const NO_FAULTS: readonly ChainFault[] = [];
