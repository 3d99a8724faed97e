import { type ChainInspector } from './chain-inspector';
import { type TaskResult, type InspectionSetup } from './inspected-events';
import { FactsPacker } from './pack-facts';

const LINE_FEED = 0x0a;

/** Calls `each` for every line, without its line feed; the last one may lack it. */
export function eachLine(bytes: Uint8Array, each: (line: Uint8Array) => void): void {
  for (let at = 0; at < bytes.length;) {
    const feed = bytes.indexOf(LINE_FEED, at);
    const end = feed < 0 ? bytes.length : feed;
    each(bytes.subarray(at, end));
    at = end + 1;
  }
}

/** Inspects the events of whole lines. */
export function inspectLines(
  bytes: Uint8Array,
  inspector: ChainInspector,
  { shard, leaves }: Pick<InspectionSetup, 'shard' | 'leaves'>,
): TaskResult {
  const packer = new FactsPacker(shard, leaves);
  let line = 0;
  eachLine(bytes, (one) => packer.add(inspector.inspect(one), line++, one, one.length + 1));
  return packer.result();
}
