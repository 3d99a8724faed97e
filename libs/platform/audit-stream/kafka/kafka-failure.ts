import { AuditStreamError } from '../audit-stream.error';

/** The Kafka protocol's error name (`OFFSET_OUT_OF_RANGE`), where the broker gave one. */
export function kafkaErrorType(error: unknown): string | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    if ('type' in cause && typeof cause.type === 'string') return cause.type;
  }
  return undefined;
}

/** Turns an error of kafkajs into this lib's: the first cause says more than "number of retries exceeded". */
export function kafkaUnavailable(what: string, error: unknown): AuditStreamError {
  if (error instanceof AuditStreamError) return error;
  let said = error;
  while (said instanceof Error && said.cause instanceof Error) said = said.cause;
  const type = kafkaErrorType(error);
  return new AuditStreamError(
    'stream_unavailable',
    `Kafka could not ${what}: ${said instanceof Error ? said.message : String(said)}.`,
    type === undefined ? {} : { type },
    { cause: error },
  );
}
