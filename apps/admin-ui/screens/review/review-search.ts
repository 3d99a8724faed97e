import { type UpgradeStatus } from '../../api/queries';
import { oneOf, readSearch } from '../operations/read-search';
import { STATUS_NAMES } from '../upgrades/lists';

/** A report as it is in the address: days of UTC, both of them in it. */
export interface ReviewSearch {
  from?: string;
  to?: string;
  person?: string;
  type?: string;
  status?: UpgradeStatus;
  /** Up to which position of the chain: to have the same report again while its period goes on. */
  through?: string;
}

const DAY = /^\d{4}-\d\d-\d\d$/;
const POSITION = /^0:\d{1,16}$/;
const DAY_MS = 86_400_000;

/** `2026-01-31` of a time, in UTC. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function startOf(day: string | undefined): number | null {
  if (day === undefined || !DAY.test(day)) return null;
  const ms = Date.parse(`${day}T00:00:00Z`);
  // 2026-02-30 would become another day.
  return Number.isNaN(ms) || dayOf(ms) !== day ? null : ms;
}

/** The report of an address; what is not known is left out. */
export function readReviewSearch(search: Record<string, unknown>): ReviewSearch {
  const { from, to, person, type, status, through } = readSearch(search, [
    'from',
    'to',
    'person',
    'type',
    'status',
    'through',
  ]);
  const known = oneOf(status, STATUS_NAMES);
  return {
    ...(from !== undefined && startOf(from) !== null && { from }),
    ...(to !== undefined && startOf(to) !== null && { to }),
    ...(person !== undefined && { person }),
    ...(type !== undefined && { type }),
    ...(known !== undefined && { status: known }),
    ...(through !== undefined && POSITION.test(through) && { through }),
  };
}

/** What the kernel is asked for: from the beginning of the first day to the end of the last; null: no period is chosen. */
export function asked({
  from,
  to,
  ...rest
}: ReviewSearch): (ReviewSearch & { from: string; to: string }) | null {
  const [first, last] = [startOf(from), startOf(to)];
  if (first === null || last === null || first > last) return null;
  return {
    ...rest,
    from: new Date(first).toISOString(),
    to: new Date(last + DAY_MS).toISOString(),
  };
}

/** Why a form has no period yet, as a sentence; null: it has. */
export function whyNoPeriod(from: string, to: string): string | null {
  const [first, last] = [startOf(from), startOf(to)];
  if (first === null || last === null) return 'Choose the first and the last day.';
  return first > last ? 'The first day is behind the last one.' : null;
}

/** Periods that are asked for most, by the calendar of UTC. */
export function presets(now: number): readonly { label: string; from: string; to: string }[] {
  const at = new Date(now);
  const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()];
  const quarter = month - (month % 3);
  const between = (label: string, first: number, next: number) => ({
    label,
    from: dayOf(first),
    to: dayOf(next - DAY_MS),
  });
  return [
    between('Last month', Date.UTC(year, month - 1), Date.UTC(year, month)),
    between('Last quarter', Date.UTC(year, quarter - 3), Date.UTC(year, quarter)),
    between('Last year', Date.UTC(year - 1, 0), Date.UTC(year, 0)),
    between('This quarter', Date.UTC(year, quarter), Date.UTC(year, quarter + 3)),
  ];
}
