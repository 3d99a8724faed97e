/** A complete answer as bytes: a stored idempotent answer goes out exactly as it did the first time. */
export class BytesAnswer {
  constructor(
    readonly status: number,
    readonly body: Uint8Array,
    readonly contentType: string = 'application/json',
    /** Events that the request committed, for its log line. */
    readonly eventIds: readonly string[] = [],
  ) {}
}

/** Server-sent events (HTML Living Standard, section 9.2), until the source, the reader or this process ends. */
export class EventStreamAnswer {
  /** @param frames of the stream, for a reader; ended by the signal when the reader is gone or the process stops */
  constructor(readonly frames: (signal: AbortSignal) => AsyncIterable<string>) {}
}

/** Documents sent as they come, each on a line of its own (NDJSON). */
export class NdjsonAnswer {
  constructor(readonly pages: AsyncIterable<readonly Uint8Array[]>) {}
}
