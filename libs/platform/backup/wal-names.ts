/**
 * Names of write-ahead log files (PostgreSQL 18, chapter 28.5 and xlog_internal.h): timeline, log and segment, eight
 * hexadecimal digits each. A log has 256 segments of 16 MiB, PostgreSQL's default; other sizes are not known here.
 */
const SEGMENT = /^[0-9A-F]{24}$/;
const HISTORY = /^([0-9A-F]{8})\.history$/;
const SEGMENTS_OF_LOG = 256n;
const SEGMENT_BYTES = 16n * 1024n * 1024n;

/** One line of a timeline's history: the timeline before, and where it was left. */
export interface TimelineSwitch {
  readonly timeline: number;
  /** Number of the segment in which the next timeline begins. */
  readonly segment: bigint;
}

export function isSegment(name: string): boolean {
  return SEGMENT.test(name);
}

export function timelineOf(name: string): number {
  return parseInt(name.slice(0, 8), 16);
}

/** The timeline of a history file, by its name; null for any other file. */
export function historyTimeline(name: string): number | null {
  const [, digits] = HISTORY.exec(name) ?? [];
  return digits === undefined ? null : parseInt(digits, 16);
}

/** Counts the segments of all time: the next one has the next number, over the border of a log too. */
export function numberOf(name: string): bigint {
  return BigInt(`0x${name.slice(8, 16)}`) * SEGMENTS_OF_LOG + BigInt(`0x${name.slice(16)}`);
}

export function segmentName(timeline: number, number: bigint): string {
  const digits = (value: bigint): string => value.toString(16).toUpperCase().padStart(8, '0');
  return digits(BigInt(timeline)) + digits(number / SEGMENTS_OF_LOG) + digits(number % SEGMENTS_OF_LOG);
}

/** The segment that follows on the same timeline. */
export function walAfter(name: string): string {
  return segmentName(timelineOf(name), numberOf(name) + 1n);
}

/** Reads a history file: one line for each earlier timeline, oldest first. */
export function readHistory(text: string): TimelineSwitch[] {
  return text
    .split('\n')
    .map((line) => /^\s*([0-9]+)\t([0-9A-F]+)\/([0-9A-F]+)/i.exec(line))
    .filter((match) => match !== null)
    .map(([, timeline, high, low]) => ({
      timeline: Number(timeline),
      segment: ((BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`)) / SEGMENT_BYTES,
    }));
}

/**
 * The files that recovery from `first` to the newest segment of the timeline `target` reads, oldest first. @param history of
 * `target`; empty for the first timeline
 */
export function neededSegments(
  first: string,
  target: number,
  newest: bigint,
  history: readonly TimelineSwitch[],
): string[] {
  const needed: string[] = [];
  for (let number = numberOf(first); number <= newest; number++) {
    // The segment in which a timeline was left belongs to the next one, which begins as a copy of it.
    const left = history.find(({ segment }) => number < segment);
    needed.push(segmentName(left?.timeline ?? target, number));
  }
  return needed;
}
