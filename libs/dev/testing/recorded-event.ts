import { type AuditEvent, type JsonObject } from '#evidence';

/** An event as a state is folded from it: what the folding reads is real, hashes and signatures are not. */
export function recorded(
  type: string,
  payload: object,
  streamVersion: number,
  ts = streamVersion,
): AuditEvent {
  return {
    v: 1,
    id: `00000000-0000-7000-8000-${String(streamVersion).padStart(12, '0')}`,
    shard: 0,
    seq: streamVersion,
    ts: new Date(ts * 1_000).toISOString(),
    type,
    stream: 'test/stream',
    streamVersion,
    actor: { id: 'operator', kind: 'service', roles: ['Operator'] },
    payload: structuredClone(payload) as JsonObject,
    correlationId: null,
    causationId: null,
    signerKid: 'audit-1',
    prevHash: '',
    group: { first: streamVersion, count: 1, path: [] },
    hash: '',
    signature: '',
  };
}
