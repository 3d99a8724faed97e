import { join } from 'node:path';
import { EvidenceError, parseCheckpointNote, sameBytes } from '#evidence';
import { type Logger, replaceFile } from '#platform/process';
import { pause } from '#platform/resilience';
import { type Answer, type Witness } from '../cosign/witness';
import { type RemoteLog, RemoteLogError } from './remote-log';

/** What one look at a log came to. */
export type Look =
  | { outcome: 'cosigned' | 'unchanged'; size: number }
  /** The witness refuses what the log shows. */
  | { outcome: 'refused'; message: string }
  /** Nothing was learned: the server is away, or serves something that fits no checkpoint. */
  | { outcome: 'failed'; message: string };

export interface FollowerOptions {
  log: string;
  remote: RemoteLog;
  witness: Witness;
  intervalMs: number;
  /** Folder for cosigned checkpoints. */
  publishDir: string | null;
  onLook: (log: string, outcome: string) => void;
  logger: Logger;
}

const READ_BY_ALL = 0o644;

/** Looks at a log again and again: fetches its checkpoint, proves from its tiles that it continues the last one, cosigns. */
export class LogFollower {
  /** The last thing that was said, which is not said again. */
  private said = '';

  constructor(private readonly options: FollowerOptions) {}

  get log(): string {
    return this.options.log;
  }

  /** Settles when the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look(signal);
      await pause(this.options.intervalMs, signal);
    }
  }

  /** Looks once. Never throws. */
  async look(signal: AbortSignal): Promise<Look> {
    const { log, onLook, logger } = this.options;
    let look: Look;
    try {
      look = await this.compare(signal);
    } catch (error) {
      if (!(error instanceof RemoteLogError || error instanceof EvidenceError)) {
        if (!signal.aborted) logger.error({ err: error, log }, 'a followed log could not be looked at');
      }
      look = { outcome: 'failed', message: error instanceof Error ? error.message : String(error) };
    }
    if (signal.aborted) return look;
    onLook(log, look.outcome);
    this.say(look);
    return look;
  }

  private async compare(signal: AbortSignal): Promise<Look> {
    const { log, remote, witness } = this.options;
    const note = await remote.checkpoint(signal);
    const { head } = parseCheckpointNote(note);
    if (head.log !== log)
      return { outcome: 'refused', message: `the checkpoint is of another log, ${head.log}` };
    const { state: last, cosigned } = witness.last(log);
    if (cosigned !== null && head.size === last.size) {
      const answer = await witness.cosign(note, last.size, []);
      return answer.cosigned
        ? this.taken(answer, 'unchanged')
        : { outcome: 'refused', message: answer.message };
    }
    // A smaller tree needs no proof: the witness says what it thinks of it.
    const tree = remote.tree(head.size, signal);
    if (last.size === 0 && head.size > 0) {
      const root = await tree.root();
      if (!sameBytes(root, head.root)) {
        return {
          outcome: 'refused',
          message: `its tiles do not lead to the root of its checkpoint of size ${head.size}`,
        };
      }
    }
    const from = Math.min(last.size, head.size);
    const answer = await witness.cosign(note, from, await tree.consistency(from));
    if (answer.cosigned) return this.taken(answer, 'cosigned');
    // Somebody has submitted a newer one meanwhile: the next look sees more.
    if (answer.refusal === 'old_size') return { outcome: 'failed', message: answer.message };
    return { outcome: 'refused', message: answer.message };
  }

  private async taken(
    { size, note }: Extract<Answer, { cosigned: true }>,
    outcome: 'cosigned' | 'unchanged',
  ): Promise<Look> {
    const { publishDir, log } = this.options;
    // One name for each log, whatever characters its name has.
    if (publishDir !== null) await replaceFile(join(publishDir, encodeURIComponent(log)), note, READ_BY_ALL);
    return { outcome, size };
  }

  private say(look: Look): void {
    const { log, logger } = this.options;
    const text = 'message' in look ? `${look.outcome}: ${look.message}` : 'fine';
    if (look.outcome === 'cosigned') logger.info({ log, size: look.size }, 'cosigned a followed log');
    if (text === this.said) return;
    this.said = text;
    if (look.outcome === 'refused')
      logger.error({ log, reason: look.message }, 'a followed log is not cosigned');
    if (look.outcome === 'failed')
      logger.warn({ log, reason: look.message }, 'a followed log cannot be read');
  }
}
