import { base64Encode } from '../../json/base64';
import { EvidenceError } from '../../evidence.error';
import { type TrustRoot } from '../../keys/trust-root';
import { type TrustedSigner } from '../../keys/signers';
import { asksForWitnesses, judgeCheckpoint, policyOfRoot } from '../../log/judge-checkpoint';
import { logName } from '../../log/log-checkpoint';
import { type LogPolicy } from '../../log/log-policy';
import { POOL_STREAM } from '../approver-pool';
import { anchorPool, anchorSigners, clearedSigners } from './anchoring';
import { BundleEvents } from './bundle-events';
import { DecisionReplay, type UpgradeOutcome } from './decision-replay';
import { EvidenceFaults } from './evidence-faults';
import { type Inclusion, proveInclusion } from './proven-inclusion';
import { readUpgradeEvidence, type UpgradeEvidence } from './upgrade-evidence';

export interface UpgradeEvidenceOptions {
  /** Accept a file without proofs of inclusion; everything else is checked all the same. */
  withoutProofs?: boolean;
  /** Whose cosignatures the checkpoint needs; absent: those that the trust root asks for. */
  policy?: LogPolicy | null;
}

export interface UpgradeEvidenceVerdict extends UpgradeOutcome {
  upgradeId: string | null;
  /** The checkpoint whose tree all events are in; null when that is not proven. */
  log: ProvenLog | null;
  /** Positions and hashes of the events: heads to expect of the chain. The last one is of the upgrade. */
  events: { shard: number; seq: number; hash: string }[];
  /** What was not checked and could be with more at hand, a sentence each. */
  notChecked: string[];
  /** Empty when the file proves what it says; each starts with a stable word and a colon. */
  faults: string[];
}

export interface ProvenLog {
  name: string;
  size: number;
  /** Base64. */
  root: string;
  /** The checkpoint key. */
  signedBy: string;
  /** The witnesses that were asked for and have cosigned, with their times in POSIX seconds. */
  cosigned: { name: string; time: number }[];
}

/**
 * Checks the evidence of an upgrade with nothing but the trust root (docs/spec/approval.md, section 6): every event and
 * its key, that no event is missing, that the pool descends from the first one, that all is in the published log, every
 * approval's signature, and the quorum at each decision, counted again. Never throws, whatever the input.
 */
export function verifyUpgradeEvidence(
  file: Uint8Array | string,
  trust: TrustRoot,
  { withoutProofs = false, policy: given = null }: UpgradeEvidenceOptions = {},
): UpgradeEvidenceVerdict {
  const faults = new EvidenceFaults();
  const verdict: UpgradeEvidenceVerdict = {
    upgradeId: null,
    status: null,
    emergency: false,
    approvers: [],
    required: null,
    authorized: false,
    log: null,
    events: [],
    notChecked: [],
    faults: faults.list,
  };
  let bundle: UpgradeEvidence;
  let policy: LogPolicy | null;
  try {
    bundle = readUpgradeEvidence(file);
    policy = given ?? policyOfRoot(trust);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    faults.add(error.code, error.located);
    return verdict;
  }
  verdict.upgradeId = bundle.upgradeId;
  if (bundle.origin !== trust.origin) {
    faults.add('origin', `the file is of ${bundle.origin}, not of ${trust.origin}`);
    return verdict;
  }
  verdict.notChecked = notChecked(bundle, trust, policy);
  if (bundle.proofs.length === 0 && !withoutProofs) {
    faults.add('inclusion', 'the file has no proofs that its events are in the log');
  }
  const inclusion = proveInclusion(bundle, trust, faults);
  const events = new BundleEvents(trust, inclusion, faults);
  events.learn(bundle.founded, bundle.signers);
  const pool = events.stream(bundle.pool, POOL_STREAM);
  const upgrade = events.stream(bundle.events, `upgrade/${bundle.upgradeId}`);
  verdict.events = events.heads;
  anchorPool(pool, trust, faults);
  const head = inclusion?.checkpoint.size ?? Math.max(0, ...events.heads.map(({ seq }) => seq));
  anchorSigners(events.ring, trust, head, faults);
  if (inclusion !== null) verdict.log = trustedLog(inclusion, trust, events.ring.signers(), policy, faults);
  const signers = clearedSigners(events.ring, inclusion?.proven?.size ?? null);
  const registryBefore = (seq: number) => events.registryEventsBefore(seq);
  Object.assign(verdict, new DecisionReplay(bundle, signers, registryBefore, faults).run(pool, upgrade));
  // Faulty evidence proves no inclusion of anything.
  if (faults.list.length > 0) verdict.log = null;
  return verdict;
}

function trustedLog(
  { checkpoint }: Inclusion,
  trust: TrustRoot,
  signers: readonly TrustedSigner[],
  policy: LogPolicy | null,
  faults: EvidenceFaults,
): ProvenLog | null {
  const { kid, cosigned, reasons } = judgeCheckpoint(checkpoint, { ...trust, signers }, policy);
  for (const reason of reasons) faults.add('inclusion', reason);
  if (kid === null) return null;
  const { origin, shard, size, root } = checkpoint;
  return { name: logName(origin, shard), size, root: base64Encode(root), signedBy: kid, cosigned };
}

function notChecked(
  { proofs }: UpgradeEvidence,
  { shards }: Pick<TrustRoot, 'shards'>,
  policy: LogPolicy | null,
): string[] {
  const missing: string[] = [];
  if (shards === undefined) {
    missing.push('the number of shards: signers.json does not say it, it was taken from the founding event');
  }
  if (proofs.length === 0) {
    missing.push('that the events are in the log: the file has no proofs of inclusion');
  } else if (!asksForWitnesses(policy)) {
    missing.push(
      'cosignatures: neither the trust root nor a policy asks for witnesses, so nobody but the kernel vouches that everyone is shown this log',
    );
  }
  return missing;
}
