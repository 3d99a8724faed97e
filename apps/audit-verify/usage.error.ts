/** Wrong use or an unreadable source: the verifier cannot say anything about the chain. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
