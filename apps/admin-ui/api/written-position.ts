/** How long a list has to show what was written here; an index that is away longer must not keep every list from being read. */
const ASKED_MS = 20_000;

let written: { readonly position: string; readonly at: number } | null = null;

/** Notes where the last command of this page was recorded. */
export function noteWritten(position: string | null | undefined): void {
  if (typeof position === 'string') written = { position, at: Date.now() };
}

/** Header for a list: it includes what this page has just written. */
export function includingWritten(): { 'Kernel-Min-Position'?: string } {
  if (written === null || Date.now() - written.at > ASKED_MS) return {};
  return { 'Kernel-Min-Position': written.position };
}
