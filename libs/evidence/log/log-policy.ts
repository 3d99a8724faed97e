import { EvidenceError } from '../evidence.error';
import { printable } from '../json/printable-text';
import { parseCheckpointNote } from './log-checkpoint';
import { isSameKeyPair, type NoteKey, noteKeyText, parseNoteKey, signatureBy } from './note-key';
import { type LogTrust, whyNoWitnesses } from '../keys/trust-members';
import { type TreeHead } from './tree-head';

/** Rule for trusting a checkpoint: whose logs, and which witnesses must have cosigned it (c2sp.org/tlog-policy). */
export interface LogPolicy {
  /** Empty when the logs are known otherwise, as from signers.json. */
  logs: { key: NoteKey; url: string | null }[];
  witnesses: { name: string; key: NoteKey; url: string | null }[];
  quorum: WitnessQuorum;
}

/** What has to have cosigned: nobody, one witness (by its index in `witnesses`), or some members of a group. */
export type WitnessQuorum =
  { none: true } | { witness: number } | { group: string; atLeast: number; of: WitnessQuorum[] };

/** Result of judging a checkpoint by a policy. */
export interface PolicyVerdict {
  /** Name of the log whose signature was verified; null when it was not, or the policy has no logs. */
  log: string | null;
  /** The witnesses of the policy whose cosignatures were verified, and their times in POSIX seconds. */
  cosigned: { name: string; time: number }[];
  /** Why the checkpoint is not to be trusted, starting with a stable word and a colon; null when it is. */
  refusal: string | null;
}

/** A policy of 100 logs, witnesses and groups with long names and comments. */
const MAX_POLICY_BYTES = 262_144;
/** At least 32 of each should be read (c2sp.org/tlog-policy). */
const MAX_OF_A_KIND = 128;
const SPACES = /[ \t]+/;
const THRESHOLD = /^[1-9][0-9]{0,3}$/;
const NONE = 'none';
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Reads a policy.
 * @param bytes of the file; a string is taken as its UTF-8 bytes
 * @throws EvidenceError `invalid_log_policy`, with the line
 */
export function parseLogPolicy(bytes: string | Uint8Array): LogPolicy {
  const octets = typeof bytes === 'string' ? encoder.encode(bytes) : bytes;
  if (octets.length > MAX_POLICY_BYTES) {
    throw new EvidenceError('invalid_log_policy', `A policy has at most ${MAX_POLICY_BYTES} bytes.`);
  }
  const reader = new PolicyReader();
  splitLines(octets).forEach((line, i) => {
    try {
      reader.take(line);
    } catch (cause) {
      const message = cause instanceof EvidenceError ? cause.message : String(cause);
      throw new EvidenceError('invalid_log_policy', `Line ${i + 1} of the policy: ${message}`, {
        details: { line: i + 1 },
        cause,
      });
    }
  });
  return reader.policy();
}

/**
 * The policy of a trust root (signers.json, `log`): any `quorum` of these witnesses. It has no logs: the trust root
 * says which keys sign checkpoints.
 * @param vkeys of the witnesses
 * @throws EvidenceError `invalid_log_policy`
 */
export function witnessQuorum(vkeys: readonly string[], quorum: number): LogPolicy {
  if (!Number.isSafeInteger(quorum) || quorum < 0 || quorum > vkeys.length || vkeys.length > MAX_OF_A_KIND) {
    throw new EvidenceError(
      'invalid_log_policy',
      `The quorum of ${vkeys.length} witnesses is a number from 0 to ${vkeys.length}, and there are at most ${MAX_OF_A_KIND}.`,
    );
  }
  const lines = vkeys.map((vkey, i) => `witness w${i} ${vkey}`);
  if (quorum > 0) lines.push(`group quorum-of-all ${quorum} ${vkeys.map((_, i) => `w${i}`).join(' ')}`);
  const policy = parseLogPolicy([...lines, `quorum ${quorum > 0 ? 'quorum-of-all' : NONE}`, ''].join('\n'));
  // Their own names say more than the names that the lines had to have.
  return { ...policy, witnesses: policy.witnesses.map((one) => ({ ...one, name: one.key.name })) };
}

/**
 * The same for a signers.json (`log`); undefined when the policy asks for nobody.
 * @throws EvidenceError `invalid_log_policy` for groups of groups, which have no such short form, and for witnesses that
 * no reader of a signers.json takes
 */
export function logTrustOf({ witnesses, quorum }: LogPolicy): LogTrust | undefined {
  if ('none' in quorum) return undefined;
  const members = 'group' in quorum ? quorum.of : [quorum];
  const vkeys = members.map((member) => {
    const witness = 'witness' in member ? witnesses[member.witness] : undefined;
    if (witness !== undefined) return noteKeyText(witness.key);
    throw new EvidenceError(
      'invalid_log_policy',
      'A signers.json names a number of witnesses, and this policy asks for groups of groups.',
    );
  });
  const refusal = whyNoWitnesses(vkeys);
  if (refusal !== null) {
    throw new EvidenceError('invalid_log_policy', `The policy does not fit into a signers.json: ${refusal}.`);
  }
  return { witnesses: vkeys, quorum: 'group' in quorum ? quorum.atLeast : 1 };
}

/** Whether the cosignatures of these witnesses, by their names in the policy, are its quorum. */
export function isQuorum(policy: LogPolicy, names: ReadonlySet<string>): boolean {
  return isReached(policy.quorum, (witness) => names.has(policy.witnesses[witness]?.name ?? ''));
}

/**
 * Judges a checkpoint by a policy: signed by one of its logs, under that log's name, and cosigned by its quorum. A
 * signature that is wrong, of a log or witness that the policy knows, spoils the whole checkpoint. Where the policy has
 * no logs, who signed the checkpoint is left to the caller. Times are reported and not judged.
 * @param note the signed checkpoint
 */
export function judgeByPolicy(policy: LogPolicy, note: string): PolicyVerdict {
  let checkpoint: ReturnType<typeof parseCheckpointNote>;
  try {
    checkpoint = parseCheckpointNote(note);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return { log: null, cosigned: [], refusal: `invalid_checkpoint: ${error.message}` };
  }
  const { head } = checkpoint;
  const wrong: string[] = [];
  let log: string | null = null;
  for (const { key } of policy.logs) {
    if (key.name !== head.log) continue;
    const { state } = signatureBy(key, checkpoint);
    if (state === 'wrong') wrong.push(`the log ${key.name}`);
    if (state === 'signed') log = key.name;
  }
  const times = policy.witnesses.map(({ name, key }) => {
    const verdict = signatureBy(key, checkpoint);
    if (verdict.state === 'wrong') wrong.push(`the witness ${name}`);
    return verdict.state === 'signed' ? verdict.time : null;
  });
  const cosigned = policy.witnesses.flatMap(({ name }, i) => {
    const time = times[i] ?? null;
    return time === null ? [] : [{ name, time }];
  });
  return { log, cosigned, refusal: refusalOf(policy, { head, wrong, log, cosigned, times }) };
}

function refusalOf(
  policy: LogPolicy,
  {
    head,
    wrong,
    log,
    cosigned,
    times,
  }: Pick<PolicyVerdict, 'log' | 'cosigned'> & {
    head: TreeHead;
    /** Who has a signature here that is not theirs. */
    wrong: readonly string[];
    /** For each witness of the policy, when it cosigned. */
    times: readonly (number | null)[];
  },
): string | null {
  if (wrong.length > 0) return `signature: not made by ${wrong.join(', ')} over this checkpoint`;
  if (policy.logs.length > 0 && log === null) {
    return `unknown_key: no log of the policy has signed the checkpoint of ${printable(head.log)}`;
  }
  if (isReached(policy.quorum, (witness) => (times[witness] ?? null) !== null)) return null;
  const who = cosigned.length === 0 ? 'no witness' : cosigned.map(({ name }) => name).join(', ');
  return `quorum: cosigned by ${who} of the policy, which asks for ${quorumText(policy, policy.quorum)}`;
}

function isReached(quorum: WitnessQuorum, hasCosigned: (witness: number) => boolean): boolean {
  if ('none' in quorum) return true;
  if ('witness' in quorum) return hasCosigned(quorum.witness);
  return quorum.of.filter((member) => isReached(member, hasCosigned)).length >= quorum.atLeast;
}

function quorumText(policy: LogPolicy, quorum: WitnessQuorum): string {
  if ('none' in quorum) return 'nobody';
  if ('witness' in quorum) return policy.witnesses[quorum.witness]?.name ?? '?';
  return `${quorum.atLeast} of ${quorum.of.length} in ${quorum.group}`;
}

/** What the lines have defined so far. Names are octets: one letter of a text stands for each. */
class PolicyReader {
  private readonly logs: LogPolicy['logs'] = [];
  private readonly witnesses: LogPolicy['witnesses'] = [];
  private readonly names = new Map<string, WitnessQuorum>();
  private readonly members = new Set<string>();
  private groups = 0;
  private quorum: WitnessQuorum | null = null;

  take(line: string): void {
    const [keyword, ...items] = line.split(SPACES).filter((item) => item !== '');
    if (keyword === undefined || keyword.startsWith('#')) return;
    if (keyword === 'log') this.takeLog(items);
    else if (keyword === 'witness') this.takeWitness(items);
    else if (keyword === 'group') this.takeGroup(items);
    else if (keyword === 'quorum') this.takeQuorum(items);
    else throw refuse(`it starts with none of log, witness, group, quorum, but with "${shown(keyword)}".`);
  }

  policy(): LogPolicy {
    if (this.quorum === null) throw refuse('The policy has no quorum line; "quorum none" asks for nobody.');
    return { logs: this.logs, witnesses: this.witnesses, quorum: this.quorum };
  }

  private takeLog([vkey, url, ...more]: string[]): void {
    if (vkey === undefined || more.length > 0) throw refuse('a log is given as log <vkey> [<url>].');
    const key = readKey(vkey);
    if (key.type !== 'ed25519') {
      throw refuse("a witness's kind of key (0x04) is given for a log; a log's is Ed25519 (0x01).");
    }
    if (this.logs.some((log) => isSameKeyPair(log.key, key))) {
      throw refuse('another log has the same key. For several logs of one key, leave all log lines out.');
    }
    bound(this.logs.length, 'logs');
    this.logs.push({ key, url: url === undefined ? null : shown(url) });
  }

  private takeWitness([name, vkey, url, ...more]: string[]): void {
    if (name === undefined || vkey === undefined || more.length > 0) {
      throw refuse('a witness is given as witness <name> <vkey> [<url>].');
    }
    const key = readKey(vkey);
    if (key.type !== 'cosignature/v1') {
      throw refuse(
        "a log's kind of key (0x01) is given for a witness; a witness's is for cosignatures (0x04).",
      );
    }
    if (this.witnesses.some((witness) => isSameKeyPair(witness.key, key))) {
      throw refuse('another witness has the same key.');
    }
    bound(this.witnesses.length, 'witnesses');
    this.define(name, { witness: this.witnesses.length });
    this.witnesses.push({ name: shown(name), key, url: url === undefined ? null : shown(url) });
  }

  private takeGroup([name, threshold, ...members]: string[]): void {
    if (name === undefined || threshold === undefined || members.length === 0) {
      throw refuse('a group is given as group <name> all|any|<number> <name>...');
    }
    bound(this.groups++, 'groups');
    const of = members.map((member) => {
      if (this.members.has(member)) {
        throw refuse(`"${shown(member)}" is a member of a group already; each counts in one way alone.`);
      }
      this.members.add(member);
      return this.known(member);
    });
    const atLeast =
      threshold === 'all'
        ? of.length
        : threshold === 'any'
          ? 1
          : THRESHOLD.test(threshold)
            ? Number(threshold)
            : 0;
    if (atLeast < 1 || atLeast > of.length) {
      throw refuse(`how many must cosign is all, any or a number from 1 to ${of.length}.`);
    }
    this.define(name, { group: shown(name), atLeast, of });
  }

  private takeQuorum([name, ...more]: string[]): void {
    if (name === undefined || more.length > 0) throw refuse('the quorum is given as quorum <name>.');
    if (this.quorum !== null) throw refuse('the policy has a quorum already.');
    this.quorum = name === NONE ? { none: true } : this.known(name);
  }

  private define(name: string, quorum: WitnessQuorum): void {
    if (name === NONE) throw refuse('the name "none" has a meaning of its own.');
    if (this.names.has(name)) throw refuse(`the name "${shown(name)}" is taken.`);
    this.names.set(name, quorum);
  }

  private known(name: string): WitnessQuorum {
    const quorum = this.names.get(name);
    if (quorum !== undefined) return quorum;
    throw refuse(`"${shown(name)}" is no witness or group of a line before it.`);
  }
}

/** Lines of text in which each letter stands for one octet. */
function splitLines(octets: Uint8Array): string[] {
  const lines: string[] = [];
  let line = '';
  octets.forEach((octet) => {
    if (octet === 0x0a) {
      lines.push(line);
      line = '';
      return;
    }
    if (octet === 0x7f || (octet < 0x20 && octet !== 0x09)) {
      throw new EvidenceError(
        'invalid_log_policy',
        `Line ${lines.length + 1} of the policy has a control character other than tab.`,
        { details: { line: lines.length + 1 } },
      );
    }
    line += String.fromCharCode(octet);
  });
  // An editor may leave the last line feed out.
  if (line !== '') lines.push(line);
  return lines;
}

function readKey(vkey: string): NoteKey {
  return parseNoteKey(textOf(vkey));
}

/** An item for people: what is not UTF-8 in it is replaced. */
function shown(item: string): string {
  return printable(textOf(item));
}

function textOf(item: string): string {
  return decoder.decode(Uint8Array.from(item, (letter) => letter.charCodeAt(0)));
}

function bound(count: number, kind: string): void {
  if (count >= MAX_OF_A_KIND) throw refuse(`the policy has more than ${MAX_OF_A_KIND} ${kind}.`);
}

function refuse(message: string): EvidenceError {
  return new EvidenceError('invalid_log_policy', message);
}
