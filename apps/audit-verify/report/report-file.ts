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

/** Writes a report; it may name people, so others than its owner cannot read it. @throws UsageError */
export function writeReport(path: string, text: string): void {
  try {
    writeFileSync(path, text, { mode: 0o600 });
  } catch (error) {
    throw new UsageError(`--report ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
