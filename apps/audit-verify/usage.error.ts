import { CodedError } from '#evidence';

/** Wrong use or an unreadable source: the verifier cannot say anything about the chain. Exit code 2. */
export class UsageError extends CodedError<'wrong_usage'> {
  constructor(message: string, options?: ErrorOptions) {
    super('wrong_usage', message, {}, options);
  }
}
