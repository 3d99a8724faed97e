/** What an event says about its place, taken as it is: to find one's own place in a stream, never to trust it. */
export interface EventMark {
  readonly seq: number;
  readonly hash: string;
}

/** Null for bytes that are no event. */
export function eventMark(bytes: Uint8Array): EventMark | null {
  try {
    const parsed = JSON.parse(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(),
    ) as unknown;
    const { seq, hash } = (parsed ?? {}) as Record<string, unknown>;
    return typeof seq === 'number' && typeof hash === 'string' ? { seq, hash } : null;
  } catch {
    return null;
  }
}
