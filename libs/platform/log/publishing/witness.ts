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

/** The witnesses of a c2sp.org/tlog-policy, over HTTP. @throws WitnessError `misconfigured` */
export function witnessPolicy(
  policy: LogPolicy,
  options: Pick<HttpWitnessOptions, 'ca' | 'timeoutMs'> = {},
): WitnessPolicy {
  return { witnesses: witnessesOf(policy, options), isQuorum: (names) => isQuorum(policy, names) };
}
