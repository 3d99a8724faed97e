const WIDTH = 24;
const INTERVAL_MS = 100;

/** A line on a terminal's standard error that is drawn over and over; nothing when that is not a terminal. */
export class ProgressBar {
  private readonly started = performance.now();
  private drawn = 0;
  private done = 0;

  /** @param total what `advance` adds up to, null when that is not known beforehand */
  constructor(
    private readonly stream: NodeJS.WriteStream,
    public total: number | null = null,
  ) {}

  advance(amount: number, events: number): void {
    this.done += amount;
    const now = performance.now();
    if (!this.stream.isTTY || now - this.drawn < INTERVAL_MS) return;
    this.drawn = now;
    const rate = Math.round((events * 1_000) / Math.max(now - this.started, 1));
    const bar = this.total === null || this.total === 0 ? '' : `${drawBar(this.done / this.total)} `;
    this.stream.write(`\r\u001b[K${bar}${count(events)} events, ${count(rate)}/s`);
  }

  clear(): void {
    if (this.stream.isTTY) this.stream.write('\r\u001b[K');
  }
}

function drawBar(part: number): string {
  const share = Math.min(part, 1);
  const full = Math.round(share * WIDTH);
  return `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${String(Math.floor(share * 100)).padStart(3)} %`;
}

export function count(n: number): string {
  return n.toLocaleString('en-US');
}
