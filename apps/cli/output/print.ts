/** Results go to stdout, so that they can be piped; what is said about them goes to stderr. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function say(line: string): void {
  process.stderr.write(`kernel: ${line}\n`);
}

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
