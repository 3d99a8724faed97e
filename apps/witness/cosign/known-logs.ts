import { EvidenceError, isSameKeyPair, type NoteKey, parseNoteKey } from '#evidence';
import { MAX_LOGS } from '../state/witness-state';
import { WitnessFolderError } from '../witness-folder.error';

/** A log that the witness cosigns. */
export interface KnownLog {
  /** Its origin line, which is also the name of its keys. */
  name: string;
  /** Several while a log changes its key. */
  keys: NoteKey[];
  /** Where it is published (the prefix of c2sp.org/tlog-tiles), when it is followed. */
  url: string | null;
}

const MAX_KEYS = 8;
/** The name of a kernel's log ends with its shard. */
const SHARD = /\/log\/(0|[1-9][0-9]{0,3})$/;

/**
 * Reads the list of logs: a line for each key, `log <vkey> [<url>]`; empty lines and lines that start with # are
 * skipped.
 * @param follow the KERNEL_LOG_URL at which logs of kernels without a URL of their own are followed
 * @throws WitnessFolderError `logs_refused`, with the line
 */
export function parseKnownLogs(text: string, follow: string | null = null): Map<string, KnownLog> {
  const logs = new Map<string, KnownLog>();
  text.split('\n').forEach((line, i) => {
    const refuse = (what: string, cause?: unknown) =>
      new WitnessFolderError(
        'logs_refused',
        `Line ${i + 1} of the list of logs: ${what}`,
        { line: i + 1 },
        { cause },
      );
    const [keyword, vkey, url, ...more] = line.trim().split(/[ \t]+/);
    if (!keyword || keyword.startsWith('#')) return;
    if (keyword !== 'log' || vkey === undefined || more.length > 0)
      throw refuse('it is not log <vkey> [<url>].');
    let key: NoteKey;
    try {
      key = parseNoteKey(vkey);
    } catch (cause) {
      throw refuse(cause instanceof EvidenceError ? cause.message : String(cause), cause);
    }
    if (key.type !== 'ed25519') throw refuse("this is the key of a witness; a log's key is Ed25519 (0x01).");
    const known = logs.get(key.name) ?? { name: key.name, keys: [], url: null };
    if (known.keys.some((other) => isSameKeyPair(other, key))) throw refuse('the same key is there already.');
    if (known.keys.length >= MAX_KEYS) throw refuse(`a log has at most ${MAX_KEYS} keys.`);
    known.keys.push(key);
    if (url !== undefined) {
      if (known.url !== null && known.url !== url) throw refuse('the log has another URL already.');
      if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
        throw refuse('the URL is not http or https.');
      }
      known.url = url;
    }
    if (!logs.has(key.name) && logs.size >= MAX_LOGS) throw refuse(`there are more than ${MAX_LOGS} logs.`);
    logs.set(key.name, known);
  });
  if (follow === null) return logs;
  for (const log of logs.values()) {
    const shard = SHARD.exec(log.name)?.[1];
    if (shard !== undefined) log.url ??= `${follow.replace(/\/+$/, '')}/log/${shard}`;
  }
  return logs;
}
