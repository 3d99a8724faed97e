/** A complete answer as bytes: a stored idempotent answer goes out exactly as it did the first time. */
export class BytesAnswer {
  constructor(
    readonly status: number,
    readonly body: Uint8Array,
    readonly contentType: string = 'application/json',
  ) {}
}

/** Documents sent as they come, each on a line of its own (NDJSON). */
export class NdjsonAnswer {
  constructor(readonly pages: AsyncIterable<readonly Uint8Array[]>) {}
}
