import { shellQuoted } from '../../../parts/shell-quoted';
import { conditionsOf, type Filters } from '../filters';

/** More than anybody waits for; the command has no other end. */
const MOST = 1_000_000;

/** The line for a shell that finds all events of these filters. */
export function commandLine(filters: Filters): string {
  const options = Object.entries(conditionsOf(filters)).map(([name, value]) => {
    const option = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return `--${option} ${shellQuoted(value)} `;
  });
  return `./kernel audit find ${options.join('')}--limit ${MOST} --json > events.ndjson`;
}
