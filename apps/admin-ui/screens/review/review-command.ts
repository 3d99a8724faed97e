import { shellQuoted } from '../../parts/shell-quoted';
import { type Report } from './report';
import { type ReviewSearch } from './review-search';

/** The line for a shell that makes this report, up to the same position. */
export function commandLine({ period, through }: Report, { person, type, status }: ReviewSearch): string {
  const options = { from: period.from, to: period.to, through: through.position, person, type, status };
  const words = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} ${shellQuoted(value)}`],
  );
  return `./kernel upgrade review ${words.join(' ')} --csv > review.csv`;
}
