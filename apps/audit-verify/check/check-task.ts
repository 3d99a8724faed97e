import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { archiveKey, type ChainFault, type Inspection } from '#evidence';
import { EventRows } from '../sources/event-rows';
import { S3Reader } from '../sources/s3-reader';
import { readLines } from './check-lines';
import { type Task } from './tasks';
import { ChainInspector } from '../verdict/inspected/chain-inspector';
import { type TaskResult, type InspectionSetup } from '../verdict/inspected/inspected-events';
import { FactsPacker } from '../verdict/inspected/pack-facts';

/** Objects that each worker reads at once: enough to hide a cloud store's latency. */
const OBJECTS_AT_ONCE = 25;

/** Runs the tasks of one worker thread: reads events and checks each by itself. */
export class TaskChecker {
  private readonly inspector: ChainInspector;
  private rows: EventRows | undefined;

  constructor(private readonly setup: InspectionSetup) {
    this.inspector = new ChainInspector(setup);
  }

  async check(task: Task): Promise<TaskResult> {
    const packer = new FactsPacker(this.setup.shard, this.setup.leaves);
    switch (task.kind) {
      case 'lines': {
        let line = 0;
        readLines(task.path, task.start, task.end, (bytes) => {
          packer.add(this.inspector.inspect(bytes), line++, bytes, bytes.length + 1);
        });
        break;
      }
      case 'files':
        for (const path of task.paths) {
          this.addObject(packer, path, readFileSync(join(task.root, path)));
        }
        break;
      case 'objects': {
        const reader = new S3Reader(task.location);
        for (let at = 0; at < task.keys.length; at += OBJECTS_AT_ONCE) {
          const keys = task.keys.slice(at, at + OBJECTS_AT_ONCE);
          const objects = await Promise.all(keys.map((key) => reader.object(key)));
          // One that was listed and is gone reads as empty: it is at fault, and so is the gap that it leaves.
          keys.forEach((key, i) => this.addObject(packer, key, objects[i] ?? new Uint8Array()));
        }
        break;
      }
      case 'rows':
        this.rows ??= new EventRows(task.url);
        for (const row of await this.rows.read(task.shard, task.first, task.last)) {
          const inspection = this.inspector.inspect(row.canonical);
          const different = whyDifferent(row, inspection);
          if (different !== null) inspection.faults.push(different);
          packer.add(inspection, `row ${task.shard}:${row.seq}`, row.canonical, 1);
        }
        break;
    }
    return packer.result();
  }

  async close(): Promise<void> {
    await this.rows?.close();
  }

  private addObject(packer: FactsPacker, path: string, bytes: Uint8Array): void {
    const inspection = this.inspector.inspect(bytes);
    const misplaced = whyMisplaced(path, inspection);
    if (misplaced !== null) inspection.faults.push(misplaced);
    packer.add(inspection, path, bytes, 1);
  }
}

const DATED = /(?:^|\/)(\d{4}\/\d{2}\/\d{2}\/[^/]+)$/;

/** An event in a dated folder must lie where its own `ts` and `id` say. */
function whyMisplaced(path: string, { facts, formatted }: Inspection): ChainFault | null {
  const dated = DATED.exec(path)?.[1];
  if (facts === null || !formatted || dated === undefined) return null;
  const key = archiveKey(facts);
  if (key === `audit/${dated}`) return null;
  return {
    code: 'format',
    shard: facts.shard,
    seq: facts.seq,
    id: facts.id,
    message: `it lies in ${path}, its archive key is ${key}`,
  };
}

function whyDifferent(
  row: { shard: number; seq: number; id: string; hash: string },
  { facts }: Inspection,
): ChainFault | null {
  if (facts === null) return null;
  if (facts.shard === row.shard && facts.seq === row.seq && facts.id === row.id && facts.hash === row.hash) {
    return null;
  }
  return {
    code: 'format',
    shard: row.shard,
    seq: row.seq,
    id: row.id,
    message: `the columns of its row say ${row.shard}:${row.seq}, id ${row.id}, hash ${row.hash}; its canonical bytes say otherwise`,
  };
}
