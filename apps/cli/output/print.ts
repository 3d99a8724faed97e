import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { styleText } from 'node:util';
import { terminalSafe } from './terminal-safe';

/** How a line is meant, which a terminal shows by its colour; the words alone say it too. */
export type Tone = 'good' | 'bad';

const COLOURS = { good: 'green', bad: 'red' } as const;

/** Results go to stdout, so that they can be piped; what is said about them goes to stderr. */
export function print(text: string, tone?: Tone): void {
  process.stdout.write(`${toned(text, tone, process.stdout)}\n`);
}

export function say(line: string, tone?: Tone): void {
  process.stderr.write(`${toned(`kernel: ${line}`, tone, process.stderr)}\n`);
}

/** In colour on a terminal, without where NO_COLOR is set; nothing that is quoted can bring a colour of its own. */
function toned(text: string, tone: Tone | undefined, stream: NodeJS.WriteStream): string {
  const safe = terminalSafe(text);
  return tone === undefined ? safe : styleText(COLOURS[tone], safe, { stream });
}

/** Several lines beside the result, without a name before them: help, or what a person reads before a question. */
export function note(text: string): void {
  process.stderr.write(`${terminalSafe(text)}\n`);
}

/** Writes UTF-8 as it comes, which has to arrive unchanged in a file or a pipe; escaped where a person reads it. */
export async function printStream(bytes: Readable): Promise<void> {
  if (!process.stdout.isTTY) return pipeline(bytes, process.stdout, { end: false });
  const decoder = new TextDecoder();
  const escaping = new Transform({
    transform: (chunk: Uint8Array, _encoding, done) =>
      done(null, terminalSafe(decoder.decode(chunk, { stream: true }))),
  });
  return pipeline(bytes, escaping, process.stdout, { end: false });
}

/** Where questions are asked. */
export const questions: NodeJS.WritableStream = process.stderr;

/** Columns of equal width, numbers to the right, two spaces between. */
export function table(rows: readonly Readonly<Record<string, string | number>>[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cell = (row: Readonly<Record<string, string | number>>, column: string) => formatCell(row[column]);
  const widths = columns.map((column) =>
    Math.max(column.length, ...rows.map((row) => cell(row, column).length)),
  );
  const numeric = columns.map((column) =>
    rows.every((row) => row[column] === undefined || typeof row[column] === 'number'),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((text, n) => (numeric[n] === true ? text.padStart(widths[n] ?? 0) : text.padEnd(widths[n] ?? 0)))
      .join('  ')
      .trimEnd();
  return [
    line(columns),
    line(widths.map((width) => '-'.repeat(width))),
    ...rows.map((row) => line(columns.map((column) => cell(row, column)))),
  ].join('\n');
}

/** 12,345 and 12.35: whole figures in groups, small ones with what matters. */
function formatCell(value: string | number | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return value;
  return value.toLocaleString('en-US', { maximumFractionDigits: Math.abs(value) >= 100 ? 0 : 2 });
}
