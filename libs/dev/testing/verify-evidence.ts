import {
  ChainVerifier,
  EventInspector,
  EvidenceError,
  KeyRing,
  type AuditEvent,
  type ChainFault,
  type ExpectedHead,
  type ProvenCheckpoint,
  type TrustRoot,
} from '#evidence';

export interface EvidenceOptions {
  from?: number;
  shard?: number;
  expectHeads?: readonly ExpectedHead[];
  checkpoints?: readonly ProvenCheckpoint[];
}

/** What an implementation of the evidence offers; tests pass others than Node's. */
export interface EvidenceDoor {
  ChainVerifier: typeof ChainVerifier;
  EventInspector: typeof EventInspector;
  KeyRing: typeof KeyRing;
}

/**
 * Verifies canonical events as docs/spec/verification.md demands: the registry first, then the chain. Returns every
 * fault.
 */
export function verifyEvidence(
  lines: readonly (string | Uint8Array)[],
  trust: TrustRoot,
  { from = 1, shard, expectHeads = [], checkpoints = [] }: EvidenceOptions = {},
  door: EvidenceDoor = { ChainVerifier, EventInspector, KeyRing },
): ChainFault[] {
  const faults: ChainFault[] = [];
  const partial = from > 1 || shard !== undefined;
  const ring = new door.KeyRing(trust, { partial });
  const inspector = door.EventInspector.of(trust);
  const sound: AuditEvent[] = [];
  for (const line of lines) {
    const { event, faults: its } = inspector.inspect(line);
    if (event !== null && its.length === 0) sound.push(event);
  }
  for (const event of sound.sort((a, b) => a.seq - b.seq)) {
    try {
      ring.apply(event);
    } catch (error) {
      if ((error as Partial<EvidenceError>).code === undefined) throw error;
      const { code: kind, message } = error as EvidenceError;
      const { shard: of, seq, id } = event;
      const code = kind === 'invalid_founding' ? 'founding' : 'format';
      faults.push({ code, shard: of, seq, id, message });
    }
  }
  const verifier = new door.ChainVerifier({
    ...trust,
    from,
    shard: shard ?? null,
    registry: ring.registry,
    partial,
    lateArrivals: true,
    expectedHeads: expectHeads,
    checkpoints,
  });
  for (const line of lines) faults.push(...verifier.accept(line));
  faults.push(...verifier.finish());
  if (verifier.count === 0 && faults.length === 0) {
    faults.push({ code: 'truncation', shard: null, seq: null, id: null, message: 'there is no event' });
  }
  return faults;
}
