/** How a canonical registry event ends: its type is the last member but one. */
const REGISTRY_END = /"type":"(?:signer\.[a-z]+|kernel\.founded)","v":1\}$/;

/** Bytes at the end of a line that tell. */
export const LONGEST_END = 48;

/** Whether a line may speak for the key registry. @param end its last LONGEST_END bytes, a letter each */
export function endsLikeRegistryEvent(end: string): boolean {
  return REGISTRY_END.test(end);
}
