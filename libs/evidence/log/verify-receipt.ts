import { type AuditEvent } from '../chain/audit-event';
import { EventInspector } from '../chain/inspect-event';
import { EvidenceError } from '../evidence.error';
import { base64Encode } from '../json/base64';
import { KeyRing, type ProvenCheckpoint } from '../keys/key-ring';
import { type TrustRoot } from '../keys/trust-root';
import { asksForWitnesses, judgeCheckpoint, policyOfRoot } from './judge-checkpoint';
import { logName } from './log-checkpoint';
import { type LogPolicy, type PolicyVerdict } from './log-policy';
import { includes, type LogProof, parseLogProof } from './log-proof';

/** One event with its receipt, and what its reader trusts. */
export interface ReceiptVerification {
  /** Canonical bytes of the event; one line feed behind them, as in an export, is not of them. */
  event: Uint8Array;
  /** Text of the receipt, c2sp.org/tlog-proof. */
  receipt: string;
  trust: TrustRoot;
  /** Whose cosignatures are needed, in place of what the trust root says; `quorum none` asks for nobody. */
  policy?: LogPolicy;
}

/** The log in which the event is shown to be. */
export interface LogPlace {
  name: string;
  index: number;
  size: number;
  /** Base64. */
  root: string;
  /** The key that signed the checkpoint. */
  kid: string;
  cosigned: PolicyVerdict['cosigned'];
}

export interface ReceiptVerdict {
  /** As far as it can be read; to be relied on only without faults. */
  event: AuditEvent | null;
  /** Null unless the checkpoint is trusted and the event is shown to be under it. */
  log: LogPlace | null;
  /** Empty when verified; each starts with a stable word and a colon. */
  faults: string[];
  /** What was found to be right, in sentences. */
  checked: string[];
  /** What the verdict does not say, in sentences. */
  notChecked: string[];
}

const LINE_FEED = 0x0a;

/**
 * Checks one event offline by its receipt (docs/spec/transparency-log.md, section 3; docs/spec/verification.md, section
 * 6): its bytes, its signature, that its key signs at that position, and that it is in the log of a shard up to a
 * checkpoint that is signed, and cosigned where that is asked for. Never throws, whatever the input.
 */
export function verifyReceipt({ event: given, receipt, trust, policy }: ReceiptVerification): ReceiptVerdict {
  const verdict: ReceiptVerdict = { event: null, log: null, faults: [], checked: [], notChecked: [] };
  const bytes = given.at(-1) === LINE_FEED ? given.subarray(0, -1) : given;
  const event = inspect(bytes, trust, verdict);
  const place = readPlace(receipt, trust, policy, verdict);
  if (event === null || place === null) return verdict;
  const shown = whyNotShown(place.proof, event, bytes, trust.origin);
  if (shown === null) {
    verdict.log = place.log;
    const { name, index, size } = place.log;
    verdict.checked.push(`the event is in the log ${name} at index ${index} of ${size}`);
  } else verdict.faults.push(shown);
  judgeKey(event, trust, verdict);
  verdict.notChecked.push(
    'the events around it: whether the chain is whole is seen in the chain alone',
    'ends of keys that this signers.json does not know yet',
  );
  return verdict;
}

/** Reads the event and checks it by itself: canonical, hash, signature. */
function inspect(bytes: Uint8Array, trust: TrustRoot, verdict: ReceiptVerdict): AuditEvent | null {
  const { event, faults } = EventInspector.of(trust).inspectWhole(bytes);
  verdict.event = event;
  verdict.faults.push(...faults.map(({ code, message }) => `${code}: ${message}`));
  if (
    event !== null &&
    faults.length === 0 &&
    trust.signers.some(({ signer_kid }) => signer_kid === event.signerKid)
  ) {
    verdict.checked.push(
      `the event is canonical, its hash is that of its content, and ${event.signerKid} signed it`,
    );
  }
  return event;
}

/** Reads the receipt and judges its checkpoint; null when that is not to be trusted. */
function readPlace(
  receipt: string,
  trust: TrustRoot,
  given: LogPolicy | undefined,
  verdict: ReceiptVerdict,
): { proof: LogProof; log: LogPlace } | null {
  try {
    const proof = parseLogProof(receipt);
    const policy = given ?? policyOfRoot(trust);
    const { checkpoint, index } = proof;
    const { kid, cosigned, reasons } = judgeCheckpoint(checkpoint, trust, policy);
    verdict.faults.push(...reasons);
    if (kid === null || reasons.length > 0) return null;
    const { origin, shard, size, root } = checkpoint;
    const name = logName(origin, shard);
    verdict.checked.push(`the checkpoint of ${name} at size ${size} is signed by ${kid}`);
    if (asksForWitnesses(policy)) {
      verdict.checked.push(`it is cosigned as asked, by ${cosigned.map((one) => one.name).join(', ')}`);
    } else {
      const who =
        given === undefined ? 'neither signers.json (log) nor a policy asks' : 'the policy does not ask';
      verdict.notChecked.push(`cosignatures of witnesses: ${who} for any`);
    }
    return { proof, log: { name, index, size, root: base64Encode(root), kid, cosigned } };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    verdict.faults.push(`${error.code}: ${error.message}`);
    return null;
  }
}

/** Why the proof does not show this event at its position; null when it does. */
function whyNotShown(
  proof: LogProof,
  { shard, seq }: AuditEvent,
  bytes: Uint8Array,
  origin: string,
): string | null {
  const { checkpoint, index } = proof;
  if (checkpoint.shard !== shard) {
    return `proof: the receipt is of the log ${logName(checkpoint.origin, checkpoint.shard)}, the event of ${logName(origin, shard)}`;
  }
  if (index !== seq - 1) {
    return `proof: the receipt is for index ${index}, the event at ${shard}:${seq} has index ${seq - 1}`;
  }
  if (includes(proof, bytes)) return null;
  return `proof: the event is not shown to be at index ${index} under the root of the checkpoint`;
}

/** Judges whether the event's key signs at its position, by the spans in the trust root alone. */
function judgeKey(
  { shard, seq, signerKid: kid }: AuditEvent,
  trust: TrustRoot,
  verdict: ReceiptVerdict,
): void {
  const { log } = verdict;
  const checkpoints: ProvenCheckpoint[] = log === null ? [] : [{ shard, size: log.size, kid: log.kid }];
  const ring = new KeyRing(trust, { partial: true, checkpoints });
  if (ring.shards === null) {
    verdict.faults.push(
      `unknown_shard: whether there is a shard ${shard} is not known: signers.json does not say how many there are (--shards)`,
    );
  }
  const judged = ring.judge({ kid, shard, seq });
  if (!judged.valid) {
    verdict.faults.push(`${judged.code}: ${judged.message}`);
    return;
  }
  verdict.checked.push(
    judged.logged === undefined
      ? `${kid} signs at ${shard}:${seq} by its span in signers.json`
      : `${kid} is in doubt at ${shard}:${seq}, and the event was in the log, at size ${judged.logged.size}, before ${kid} was declared compromised`,
  );
}
