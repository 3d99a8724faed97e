import { CodedError } from '#evidence';
import { type PublisherObserver } from '#platform/log';
import { type Logger } from '#platform/process';

/** Says in the log why a witness does not cosign a shard's checkpoints, once for each reason, and that it does again. */
export function toldWitnesses(
  shard: number,
  logger: Pick<Logger, 'info' | 'warn'>,
  observer: PublisherObserver,
): PublisherObserver {
  const reasons = new Map<string, string>();
  return {
    ...observer,
    onCosigned(witness, ms) {
      observer.onCosigned?.(witness, ms);
      if (reasons.delete(witness)) logger.info({ shard, witness }, 'the witness cosigns again');
    },
    onFailed(witness, error) {
      observer.onFailed?.(witness, error);
      const reason = reasonOf(error);
      if (reasons.get(witness) === reason) return;
      reasons.set(witness, reason);
      logger.warn({ shard, witness, err: error }, 'the witness does not cosign');
    },
    onNotAdded(witness, error) {
      observer.onNotAdded?.(witness, error);
      logger.warn({ shard, witness, err: error }, 'a late cosignature could not be added to the checkpoint');
    },
  };
}

/** What stays the same from one checkpoint to the next, unlike sizes. */
function reasonOf(error: unknown): string {
  if (!(error instanceof CodedError)) return String(error);
  const { status } = error.details as { status?: unknown };
  return `${error.code} ${typeof status === 'number' ? status : ''}`;
}
