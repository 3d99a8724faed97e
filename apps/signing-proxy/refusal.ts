import { CodedError } from '#evidence';

/** Why the proxy did not sign. Each has one status and title (proxy-problems.ts) and one label in the metrics. */
export type RefusalCode =
  | 'malformed_request'
  | 'batch_too_large'
  | 'client_not_permitted'
  | 'unknown_purpose'
  | 'unknown_key'
  | 'wrong_key_purpose'
  | 'input_not_of_purpose'
  | 'foreign_origin'
  | 'unknown_shard'
  | 'positions_not_consecutive'
  | 'below_high_water_mark'
  | 'position_ahead'
  | 'checkpoint_conflict'
  | 'beyond_committed'
  | 'invalid_consistency'
  | 'nothing_to_open'
  | 'key_exists'
  | 'too_many_keys'
  | 'keys_made_elsewhere'
  | 'rate_limited'
  | 'overloaded'
  | 'signing_unavailable';

export type RefusalContext = {
  /** Position in `requests` of the first item that does not fit. */
  index?: number;
  purpose?: string;
  kid?: string;
  /** Hex SHA-256 of the refused input. */
  digest?: string;
  /** Digests of all inputs of a request that was refused as a whole. */
  digests?: string[];
  /** The mark that the request would have to be above. */
  mark?: { shard: number; seq: number };
  /** The highest position that was signed in this shard. */
  signed?: { shard: number; seq: number };
  /** The last checkpoint of the shard: size, and root in base64. */
  size?: number;
  root?: string;
};

/** All or none: one item that does not fit refuses the whole request. */
export class SigningRefusal extends CodedError<RefusalCode> {}

/** Why a shard is refused, for one who may have configured the proxy wrongly. */
export function noSuchShard(shard: number, shards: number): string {
  return `Shard ${shard} does not exist: the chain has ${shards} (KERNEL_SHARDS of the signing proxy)`;
}
