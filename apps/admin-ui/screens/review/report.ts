import { type components } from '#openapi/kernel';

export type Review = components['schemas']['UpgradeReview'];
export type Reviewed = components['schemas']['ReviewedUpgrade'];
export type Act = Reviewed['acts'][number];

/** Beyond these a browser is the wrong tool: the rest is for `./kernel upgrade review`. */
export const MOST_UPGRADES = 2_000;
/** Upgrades of one request. */
export const PAGE = 100;

/** A whole report, or as much of it as a page takes. */
export interface Report extends Omit<Review, 'nextCursor'> {
  /** There are more upgrades than it has. */
  readonly isCut: boolean;
  readonly madeAt: string;
}

function sumOf(one: Review['counts'], other: Review['counts']): Review['counts'] {
  const names = Object.keys(one) as (keyof Review['counts'])[];
  return Object.fromEntries(names.map((name) => [name, one[name] + other[name]])) as Review['counts'];
}

/** Joins the pages of a report, which are all up to the position of the first. */
export async function readReport(
  read: (more: { through?: string; cursor?: string }) => Promise<Review>,
  through: string | undefined,
  now: () => number = Date.now,
): Promise<Report> {
  const { nextCursor, ...first } = await read(through === undefined ? {} : { through });
  const report = { ...first, upgrades: [...first.upgrades] };
  let cursor = nextCursor;
  while (cursor !== null && report.upgrades.length < MOST_UPGRADES) {
    const page: Review = await read({ through: first.through.position, cursor });
    report.upgrades.push(...page.upgrades);
    report.counts = sumOf(report.counts, page.counts);
    cursor = page.nextCursor;
  }
  return { ...report, isCut: cursor !== null, madeAt: new Date(now()).toISOString() };
}
