import { printable } from './printable-text';

/** One record of a CSV file (RFC 4180), without its line end: texts of others can neither be run nor hide in it. */
export function csvLine(cells: readonly (string | number)[]): string {
  return cells.map(cell).join(',');
}

/** A spreadsheet takes a text that begins like a formula for one: what others wrote must not be run. */
function cell(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const clean = printable(value);
  const safe = /^[=+\-@\t\r]/.test(clean) ? `'${clean}` : clean;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
