import { writeFileSync } from 'node:fs';
import { extname } from 'node:path';
import { UsageError } from '../usage.error';

/** Kinds of reports, by the end of the file's name. */
export type ReportKind = 'html' | 'csv' | 'json';

const KINDS: Readonly<Record<string, ReportKind>> = { '.html': 'html', '.csv': 'csv', '.json': 'json' };

/** The kind of a report on a chain. @throws UsageError */
export function reportKind(path: string): ReportKind {
  const kind = KINDS[extname(path).toLowerCase()];
  if (kind !== undefined) return kind;
  throw new UsageError(`--report ${path}: the name of the file must end with .html, .csv or .json.`);
}

/** The path of a report that there is as JSON alone. @throws UsageError */
export function jsonReportPath(path: string): string {
  if (reportKind(path) === 'json') return path;
  throw new UsageError(
    `--report ${path}: of one event, signature or upgrade the report is JSON; name a file that ends with .json.`,
  );
}

/**
 * Takes `--report` out of a command line whose other options are read elsewhere.
 * @returns the rest, and the path of a report in JSON; null when none is asked for
 * @throws UsageError
 */
export function takeJsonReport(argv: readonly string[]): { rest: string[]; path: string | null } {
  const at = argv.findIndex((argument) => argument === '--report' || argument.startsWith('--report='));
  if (at < 0) return { rest: [...argv], path: null };
  const inline = argv[at]?.slice('--report='.length) ?? '';
  const path = inline === '' ? argv[at + 1] : inline;
  if (path === undefined) throw new UsageError('--report needs the name of a file.');
  return { rest: argv.toSpliced(at, inline === '' ? 2 : 1), path: jsonReportPath(path) };
}

/** Writes a report; it may name people, so others than its owner cannot read it. @throws UsageError */
export function writeReport(path: string, text: string): void {
  try {
    writeFileSync(path, text, { mode: 0o600 });
  } catch (error) {
    throw new UsageError(`--report ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
