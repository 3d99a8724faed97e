/** Claim of an event about its place, unchecked: for finding one's own place in a stream, never for trust. */
export interface EventMark {
  readonly seq: number;
  readonly hash: string;
}

/** Returns null for bytes that are not an event. */
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
