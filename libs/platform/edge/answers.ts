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

/** Documents sent as they come, each on a line of its own (NDJSON). */
export class NdjsonAnswer {
  constructor(readonly pages: AsyncIterable<readonly Uint8Array[]>) {}
}
