import { isQuorum, type LogPolicy } from '#evidence';
import {
  type HttpWitnessOptions,
  type WitnessAnswer,
  witnessesOf,
  type WitnessRequest,
} from '../witness/http-witness';

/** A witness of the log (c2sp.org/tlog-witness), as the publisher asks it: HttpWitness is one. */
export interface WitnessClient {
  /** Names it in the policy, in metrics and in the log. */
  readonly name: string;
  addCheckpoint(request: WitnessRequest, signal: AbortSignal): Promise<WitnessAnswer>;
  close?(): Promise<void>;
}

/** Witnesses, and which of them together are enough. */
export interface WitnessPolicy {
  readonly witnesses: readonly WitnessClient[];
  isQuorum(names: ReadonlySet<string>): boolean;
}

export const NO_WITNESSES: WitnessPolicy = { witnesses: [], isQuorum: () => true };

/** A request to a witness ends after this many times what a checkpoint waits: then the next may begin. */
const PATIENCE = 5;

/** How long one request to a witness may take, where a checkpoint waits that long for its quorum. */
export function requestTimeoutMs(cosignTimeoutMs: number): number {
  return cosignTimeoutMs * PATIENCE;
}

/**
 * The witnesses of a c2sp.org/tlog-policy, over HTTP.
 * @param options `cosignTimeoutMs` is how long a checkpoint waits for its quorum
 * @throws WitnessError `misconfigured`
 */
export function witnessPolicy(
  policy: LogPolicy,
  options: Pick<HttpWitnessOptions, 'ca'> & { readonly cosignTimeoutMs: number },
): WitnessPolicy {
  const { cosignTimeoutMs, ...rest } = options;
  const timeoutMs = requestTimeoutMs(cosignTimeoutMs);
  return {
    witnesses: witnessesOf(policy, { ...rest, timeoutMs }),
    isQuorum: (names) => isQuorum(policy, names),
  };
}
