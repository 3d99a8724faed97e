import {
  type AuditEvent,
  EvidenceError,
  EventInspector,
  genesisHash,
  includes,
  inputOfEvent,
  judgeCheckpoint,
  KeyRing,
  logName,
  type LogPolicy,
  type LogProof,
  parseAuditSigningInput,
  parseLogPolicy,
  parseLogProof,
  parseSignersFile,
  policyOfRoot,
  type ProvenCheckpoint,
  sha256Hex,
  type TrustRoot,
  trustRootOf,
  verifyReceipt,
} from '#evidence';

/** What is asked of one event, in the order in which it is shown. */
export type StepName = 'content' | 'link' | 'group' | 'signature' | 'key' | 'receipt' | 'cosignatures';

export interface Step {
  readonly name: StepName;
  /** `unknown`: nothing says that it is right, nor that it is wrong. */
  readonly verdict: 'right' | 'wrong' | 'unknown';
  /** Sentences: what was found, or why nothing could be. */
  readonly reason: string;
}

export interface GivenEvent {
  /** Canonical text of the event, as the kernel sent it. */
  readonly event: string;
  /** The event before it, or why there is none to compare with. */
  readonly before: { readonly text: string } | { readonly missing: string };
  /** Null: the event is in no published log yet. */
  readonly receipt: string | null;
  /** Text of the signers.json that is trusted. */
  readonly signers: string;
  /** Text of a log policy that counts in place of what signers.json asks for. */
  readonly policy: string | null;
  /** What the kernel says of itself, where signers.json does not. */
  readonly kernel: { readonly origin: string; readonly shards: number };
}

export interface EventVerdict {
  readonly steps: readonly Step[];
  /** Verdict on the event with its receipt, as tools/audit-verify.js says it; null without a receipt. */
  readonly faults: readonly string[] | null;
  /** What no step says, in sentences. */
  readonly notChecked: readonly string[];
  /** What the verdict rests on. */
  readonly trust: {
    readonly origin: string;
    readonly keys: number;
    /** Hex SHA-256 of the file. */
    readonly sha256: string;
  };
}

/** The files that are to be trusted cannot be read. */
export class UnreadableTrust extends Error {}

/**
 * Judges one event step by step (docs/spec/verification.md, sections 2 and 6), by the functions that
 * tools/audit-verify.js is made of.
 * @throws UnreadableTrust with a sentence for the person who chose the files
 */
export function judgeEvent(given: GivenEvent): EventVerdict {
  const { trust, assumed } = readTrust(given);
  const policy = readPolicy(given.policy, trust);
  const bytes = new TextEncoder().encode(given.event);
  const { event, formatted, faults } = EventInspector.of(trust).inspectWhole(bytes);
  const wrong = (...codes: string[]) =>
    faults.filter(({ code }) => codes.includes(code)).map(({ message }) => message);

  const place = readPlace(given.receipt, bytes, event, { trust, policy });
  const steps: Step[] = [
    contentStep(event, formatted, wrong('format', 'hash')),
    linkStep(event, given.before, trust),
    groupStep(event, given.before, trust),
    signatureStep(event, wrong('signature'), trust),
    keyStep(event, place.proven, trust),
    place.receipt,
    place.cosignatures,
  ];
  const whole =
    given.receipt === null
      ? null
      : verifyReceipt({
          event: bytes,
          receipt: given.receipt,
          trust,
          ...(given.policy !== null && policy !== null && { policy }),
        });
  return {
    steps,
    faults: whole?.faults ?? null,
    notChecked: [
      ...assumed,
      'events other than this one and the one before it: whether the chain is whole is seen in the chain alone',
      'ends of keys that this signers.json does not know yet',
    ],
    trust: { origin: trust.origin, keys: trust.signers.length, sha256: sha256Hex(given.signers) },
  };
}

function readTrust({ signers, kernel }: GivenEvent): { trust: TrustRoot; assumed: string[] } {
  let file;
  try {
    file = parseSignersFile(signers);
  } catch (error) {
    throw unreadable('signers.json', error);
  }
  const assumed: string[] = [];
  if (file.signers.length === 0) throw new UnreadableTrust('This signers.json has no keys.');
  if (file.origin === undefined) {
    assumed.push(`the name of the kernel: signers.json lacks it, and the kernel says ${kernel.origin}`);
  }
  if (file.shards === undefined) {
    file = { ...file, shards: kernel.shards };
    assumed.push(`the number of shards: signers.json lacks it, and the kernel says ${kernel.shards}`);
  }
  return { trust: trustRootOf(file, file.origin ?? kernel.origin), assumed };
}

function readPolicy(text: string | null, trust: TrustRoot): LogPolicy | null {
  try {
    return text === null ? policyOfRoot(trust) : parseLogPolicy(text);
  } catch (error) {
    throw unreadable(text === null ? 'signers.json' : 'the log policy', error);
  }
}

function unreadable(what: string, error: unknown): UnreadableTrust {
  if (!(error instanceof EvidenceError)) throw error;
  return new UnreadableTrust(`It cannot be read as ${what}: ${error.message}`);
}

const step = (name: StepName, verdict: Step['verdict'], reason: string): Step => ({ name, verdict, reason });
const UNREADABLE = 'The event cannot be read.';

function contentStep(event: AuditEvent | null, formatted: boolean, wrong: readonly string[]): Step {
  if (wrong.length > 0 || event === null || !formatted) {
    return step('content', 'wrong', sentence(wrong.join('; ') || 'the bytes are no event'));
  }
  return step('content', 'right', 'The bytes are canonical, and the hash is that of what they say.');
}

function linkStep(event: AuditEvent | null, before: GivenEvent['before'], trust: TrustRoot): Step {
  if (event === null) return step('link', 'unknown', UNREADABLE);
  const { shard, seq, prevHash } = event;
  if (seq === 1) {
    return prevHash === genesisHash(trust.origin, shard)
      ? step('link', 'right', `It is the first event of shard ${shard} of ${trust.origin}.`)
      : step('link', 'wrong', `It is not the first event of a chain of ${trust.origin}.`);
  }
  if ('missing' in before) return step('link', 'unknown', before.missing);
  const { event: prior, faults } = EventInspector.of(trust, false).inspectWhole(before.text);
  if (prior === null || faults.length > 0) {
    const why = faults.map(({ message }) => message).join('; ') || 'it is no event';
    return step('link', 'wrong', `The event before it is not sound: ${why}.`);
  }
  if (prior.shard !== shard || prior.seq !== seq - 1) {
    return step('link', 'wrong', `The kernel gave ${prior.shard}:${prior.seq} as the event before it.`);
  }
  return prior.hash === prevHash
    ? step('link', 'right', `It names the hash of the event before it, at ${shard}:${prior.seq}.`)
    : step('link', 'wrong', `It names another event before it than the one at ${shard}:${prior.seq}.`);
}

/** Root to which the hash of an event and its path lead; hex. */
function rootOf(event: AuditEvent, origin: string): string {
  return parseAuditSigningInput(inputOfEvent(origin, event)).root;
}

function groupStep(event: AuditEvent | null, before: GivenEvent['before'], trust: TrustRoot): Step {
  if (event === null) return step('group', 'unknown', UNREADABLE);
  const { shard, seq, group } = event;
  const { first, count, path } = group;
  if (count === 1) return step('group', 'right', 'It was signed by itself: it is a group of one.');
  const root = rootOf(event, trust.origin);
  const leads = `Its hash leads over ${path.length} ${path.length === 1 ? 'hash' : 'hashes'} to the root ${root} of the ${count} events at ${shard}:${first} to ${shard}:${first + count - 1}`;
  if (seq === first || 'missing' in before) {
    return step('group', 'right', `${leads}, which is what was signed.`);
  }
  const { event: prior } = EventInspector.of(trust, false).inspectWhole(before.text);
  if (prior === null || prior.group.first !== first || prior.group.count !== count) {
    return step('group', 'wrong', `${leads}; the event before it says that it is of another group.`);
  }
  return rootOf(prior, trust.origin) === root
    ? step('group', 'right', `${leads}, as that of the event before it does.`)
    : step('group', 'wrong', `${leads}; that of the event before it leads elsewhere.`);
}

function signatureStep(event: AuditEvent | null, wrong: readonly string[], trust: TrustRoot): Step {
  if (event === null) return step('signature', 'unknown', UNREADABLE);
  if (wrong.length > 0) return step('signature', 'wrong', sentence(wrong.join('; ')));
  const { signerKid: kid } = event;
  if (!trust.signers.some(({ signer_kid }) => signer_kid === kid)) {
    return step('signature', 'wrong', `This signers.json has no key ${kid}, so nothing shows who signed.`);
  }
  return step('signature', 'right', `${kid} signed the root of the group, for ${trust.origin}.`);
}

function keyStep(event: AuditEvent | null, checkpoints: readonly ProvenCheckpoint[], trust: TrustRoot): Step {
  if (event === null) return step('key', 'unknown', UNREADABLE);
  const { signerKid: kid, shard, seq } = event;
  const ring = new KeyRing(trust, { partial: true, checkpoints });
  if (!ring.hasShard(shard)) return step('key', 'wrong', `The kernel has no shard ${shard}.`);
  const judged = ring.judge({ kid, shard, seq });
  if (!judged.valid) return step('key', 'wrong', sentence(judged.message));
  return step(
    'key',
    'right',
    judged.logged === undefined
      ? `${kid} may sign at ${shard}:${seq}, by its span in signers.json.`
      : `${kid} was lost later; this event was in the log before, at size ${judged.logged.size}.`,
  );
}

interface Place {
  readonly receipt: Step;
  readonly cosignatures: Step;
  /** Empty unless the checkpoint is trusted and has the event. */
  readonly proven: readonly ProvenCheckpoint[];
}

function readPlace(
  text: string | null,
  bytes: Uint8Array,
  event: AuditEvent | null,
  { trust, policy }: { trust: TrustRoot; policy: LogPolicy | null },
): Place {
  const both = (verdict: Step['verdict'], reason: string): Place => ({
    receipt: step('receipt', verdict, reason),
    cosignatures: step('cosignatures', 'unknown', 'There is no checkpoint to judge.'),
    proven: [],
  });
  if (text === null) return both('unknown', 'It is not in the published log yet, so it has no receipt.');
  let proof: LogProof;
  try {
    proof = parseLogProof(text);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return both('wrong', error.message);
  }
  const { checkpoint } = proof;
  // Without a policy first: what is wrong with the kernel's own signature is no matter of the witnesses.
  const own = judgeCheckpoint(checkpoint, trust, null);
  const whole = judgeCheckpoint(checkpoint, trust, policy);
  const { shard, size } = checkpoint;
  const why = own.reasons[0] ?? (event === null ? UNREADABLE : whyNotShown(proof, event, bytes));
  const receipt =
    why === null
      ? `It is at index ${proof.index} of the ${size} events under a checkpoint of ${logName(checkpoint.origin, shard)} that ${own.kid} signed.`
      : sentence(why);
  return {
    receipt: step('receipt', why === null ? 'right' : 'wrong', receipt),
    cosignatures: cosignatureStep(whole, own.reasons.length, policy),
    proven:
      why === null && own.kid !== null && whole.reasons.length === 0 ? [{ shard, size, kid: own.kid }] : [],
  };
}

/** Why the receipt does not show the event; null when it does. */
function whyNotShown(proof: LogProof, { shard, seq }: AuditEvent, bytes: Uint8Array): string | null {
  if (proof.checkpoint.shard !== shard) return `it is for an event of shard ${proof.checkpoint.shard}`;
  if (proof.index !== seq - 1) return `it is for the event at ${shard}:${proof.index + 1}`;
  return includes(proof, bytes) ? null : 'these bytes are not under the root of its checkpoint';
}

function cosignatureStep(
  { cosigned, reasons }: ReturnType<typeof judgeCheckpoint>,
  ownReasons: number,
  policy: LogPolicy | null,
): Step {
  // A policy may also name the logs that count, and ask for nobody's cosignature.
  const refusal = reasons[ownReasons];
  if (refusal !== undefined) return step('cosignatures', 'wrong', sentence(refusal));
  if (policy === null || 'none' in policy.quorum) {
    return step(
      'cosignatures',
      'unknown',
      'Nobody is asked for any: neither signers.json (log) nor a policy names witnesses.',
    );
  }
  if (cosigned.length === 0) {
    return step('cosignatures', 'unknown', 'The checkpoint is of another log, so they say nothing here.');
  }
  const by = cosigned.map(({ name, time }) => `${name} at ${new Date(time * 1_000).toISOString()}`);
  return step('cosignatures', 'right', `Cosigned as asked, by ${by.join(', ')}.`);
}

/** A fault as a sentence. */
function sentence(fault: string): string {
  const text = fault.replace(/^[a-z_]+: /, '');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}
