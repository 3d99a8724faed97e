export type ChainFaultCode =
  | 'hash'
  | 'link'
  | 'gap'
  | 'order'
  | 'duplicate'
  | 'signature'
  | 'unknown_key'
  | 'unknown_shard'
  | 'founding'
  | 'key_not_valid'
  | 'format'
  | 'truncation'
  | 'stream'
  | 'time'
  | 'manifest'
  | 'checkpoint';

/** One thing that is wrong with a chain (docs/spec/verification.md, section 5). */
export interface ChainFault {
  code: ChainFaultCode;
  /** Null when the bytes at fault do not tell. */
  shard: number | null;
  seq: number | null;
  id: string | null;
  /** What is wrong, in words. */
  message: string;
}

/** The facts of one event on which the order of a chain depends. */
export interface EventFacts {
  shard: number;
  seq: number;
  id: string;
  ts: string;
  stream: string;
  streamVersion: number;
  signerKid: string;
  prevHash: string;
  hash: string;
}

export function faultAt(
  facts: Pick<EventFacts, 'shard' | 'seq' | 'id'>,
  code: ChainFaultCode,
  message: string,
): ChainFault {
  return { code, shard: facts.shard, seq: facts.seq, id: facts.id === '' ? null : facts.id, message };
}
