import { type KeyObject, randomInt } from 'node:crypto';
import { type z } from 'zod';
import { type SignerPurpose, verifyEd25519 } from '#evidence';
import { type HttpAnswer, HttpClient } from '#platform/http-client';
import { type TlsRenewals } from '#platform/process';
import { currentPlace, ended, type TracedSpan, type TracePlace } from '#platform/tracing';
import { type CheckpointSignatureRequest, type KeyInfo } from './signing-backend';
import { SignerError, reasonOf } from './signer.error';
import {
  type BatchPurpose,
  CheckpointAnswer,
  CheckpointsAnswer,
  HealthAnswer,
  type HighWaterMark,
  KeyAnswer,
  KeysAnswer,
  type LastCheckpoint,
  MarksAnswer,
  MAX_SIGNING_INPUT_BYTES,
  ProblemAnswer,
  type ProxyHealth,
} from './signing-contract';

/** PEM: the CA that signed the proxy's certificate, and this client's own certificate and key. */
export interface SigningProxyTls {
  readonly ca: string | Buffer;
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

export interface SigningProxyClientOptions extends SigningProxyTls {
  /** https://host:port of the signing proxy. */
  url: string;
  /** Source of these, when they are renewed; closed with the client. */
  renewals?: TlsRenewals<SigningProxyTls> | undefined;
  /** Limit of a whole call, including waiting and connecting. Default {@link DEFAULT_TIMEOUT_MS}. */
  timeoutMs?: number;
  /** Inputs sent in one request. Default {@link DEFAULT_MAX_BATCH}. */
  maxBatch?: number;
  /** Inputs that may wait; more are refused. Default {@link DEFAULT_MAX_QUEUED}. */
  maxQueued?: number;
  /** Concurrent requests. Default {@link DEFAULT_MAX_IN_FLIGHT}. */
  maxInFlight?: number;
  /** Called after every request: for metrics. */
  onBatch?: (batch: { inputs: number; callers: number; ms: number; ok: boolean }) => void;
}

export interface SignatureRequest {
  purpose: BatchPurpose;
  kid: string;
  /** The exact bytes to sign, at most MAX_SIGNING_INPUT_BYTES. */
  input: Uint8Array;
  /** Known public key of this name: an answer signed with another one is refused. */
  publicKey?: KeyObject;
  /** For an audit event: the position of its shard that the caller knows to be committed. */
  committed?: number;
}

export interface ProxySignature {
  kid: string;
  keyVersion: string;
  /** Base64 of the 64 bytes. */
  signature: string;
}

/** Under the 2 s within which a write must get its 503 when the proxy is unreachable. */
export const DEFAULT_TIMEOUT_MS = 1_200;
export const DEFAULT_MAX_BATCH = 256;
/** About a second of work at full speed; later requests would miss the deadline anyway. */
export const DEFAULT_MAX_QUEUED = 8_192;
export const DEFAULT_MAX_IN_FLIGHT = 3;
/** A token may take seconds for a key pair, and no write waits for it. */
const MAKING_TIMEOUT_MS = 20_000;

/**
 * Number of waiting inputs that start another request beside a running one. Fewer wait for it to end and go together: a
 * request costs both sides as much as ten inputs in it, and a batch of this size is worth the wait. Audit events never
 * wait: they are already gathered, and everything after them in their shard waits for them.
 */
const PARALLEL_FROM = 32;
/** Longest wait for a running request to end while another may be sent: the running one may be stuck. */
const PATIENCE_MS = 25;

/** 512 signatures are 100 kB; an inventory of keys and marks is smaller. Anything much larger is something else. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** 64 bytes in base64: the last of the 86 characters carries two bits, and the unused ones have to be zero. */
const SIGNATURE = /^[A-Za-z0-9+/]{85}[AQgw]==$/;

/** A connection that broke before it answered, typically one that the proxy closed while it was idle. */
const BROKEN_CONNECTION = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

const JSON_BODY = { 'content-type': 'application/json' };

interface Call {
  /** Inputs as sent on the wire. */
  items: string[];
  requests: readonly SignatureRequest[];
  results: (ProxySignature | undefined)[];
  missing: number;
  /** Number handed to a batch, from the front. */
  dispatched: number;
  batches: Set<Batch>;
  settled: boolean;
  /** Where in a trace it was asked for; undefined mostly. */
  trace: TracePlace | undefined;
  timer: NodeJS.Timeout;
  resolve: (signatures: ProxySignature[]) => void;
  reject: (error: SignerError) => void;
}

interface Segment {
  call: Call;
  from: number;
  to: number;
}

interface Batch {
  segments: Segment[];
  mayRetry: boolean;
  /** No caller waits for it any more. */
  abandoned: boolean;
  /** Ends the running request. */
  abort: ((reason: Error) => void) | undefined;
}

type Outcome =
  | { kind: 'signed'; signatures: ProxySignature[] }
  | { kind: 'refused'; error: SignerError; index: number | undefined }
  | { kind: 'unavailable'; error: SignerError; broken: boolean };

/**
 * Talks to apps/signing-proxy over mutual TLS and gathers the inputs of concurrent callers into batches: the first goes
 * at once; inputs that come while `maxInFlight` requests are running wait and go together.
 *
 * A batch is all or none at the proxy. When one gathered from several callers is refused, each caller's part is sent
 * again by itself, so that a bad input fails only its own caller. Signatures are counted, their form is checked, and
 * one of each key in every answer is verified; the caller has to verify whether all are right.
 */
export class SigningProxyClient {
  private readonly http: HttpClient;
  private readonly queue: Call[] = [];
  private readonly resend: Batch[] = [];
  private queuedInputs = 0;
  private inFlight = 0;
  private pumping = false;
  /** `performance.now()` of the newest running request. */
  private lastSentAt = 0;
  private patience: NodeJS.Timeout | undefined;
  private closed = false;
  private closing: Promise<void> | null = null;
  private idle: (() => void)[] = [];

  private readonly timeoutMs: number;
  private readonly maxBatch: number;
  private readonly maxQueued: number;
  private readonly maxInFlight: number;

  constructor(private readonly options: SigningProxyClientOptions) {
    this.timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.maxBatch = options.maxBatch ?? DEFAULT_MAX_BATCH;
    this.maxQueued = options.maxQueued ?? DEFAULT_MAX_QUEUED;
    this.maxInFlight = options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT;
    const { protocol, origin } = new URL(options.url);
    if (protocol !== 'https:') {
      throw new SignerError(
        'misconfigured',
        `The signing proxy is reached over https only, not ${options.url}`,
      );
    }
    this.http = new HttpClient({
      origin,
      tls: { ca: options.ca, cert: options.cert, key: options.key },
      // One more than the batches need, so that a health request does not wait behind them.
      connections: this.maxInFlight + 1,
      connectTimeoutMs: this.timeoutMs,
      keepAliveMs: 30_000,
    });
    options.renewals?.onRenewal((tls) => this.http.renew(tls));
  }

  /**
   * @returns one signature for each request, in order
   * @throws SignerError `signing_unavailable` (try later), `queue_full`, `signing_refused`,
   *   `unknown_key`, `invalid_request`, `closed`
   */
  sign(requests: readonly SignatureRequest[]): Promise<ProxySignature[]> {
    if (this.closed) return Promise.reject(new SignerError('closed', 'The signing client is closed'));
    const tooLarge = requests.findIndex(
      ({ input }) => input.length === 0 || input.length > MAX_SIGNING_INPUT_BYTES,
    );
    if (tooLarge !== -1) {
      return Promise.reject(
        new SignerError(
          'invalid_request',
          `Signing input ${tooLarge} has ${requests[tooLarge]?.input.length} bytes; 1 to ${MAX_SIGNING_INPUT_BYTES} can be signed`,
          { index: tooLarge },
        ),
      );
    }
    if (requests.length === 0) return Promise.resolve([]);
    if (this.queuedInputs + requests.length > this.maxQueued) {
      return Promise.reject(
        new SignerError('queue_full', `${this.queuedInputs} signing inputs are waiting; try again shortly`, {
          queued: this.queuedInputs,
          limit: this.maxQueued,
        }),
      );
    }
    return new Promise((resolve, reject) => {
      const call: Call = {
        items: requests.map(encodeItem),
        requests,
        results: new Array<ProxySignature | undefined>(requests.length),
        missing: requests.length,
        dispatched: 0,
        batches: new Set(),
        settled: false,
        trace: currentPlace(),
        timer: setTimeout(() => this.expire(call), this.timeoutMs),
        resolve,
        reject,
      };
      this.queue.push(call);
      this.queuedInputs += call.items.length;
      this.pumpSoon();
    });
  }

  /** Keys that the proxy can sign with, public parts only. */
  async keys(): Promise<KeyInfo[]> {
    return (await this.inventory()).keys;
  }

  /** The same keys, and the kernel the proxy signs for. */
  async inventory(): Promise<{ origin: string; keys: KeyInfo[] }> {
    const { body } = await this.get('/v1/keys', KeysAnswer, [200]);
    return body;
  }

  /** Positions of each shard that signed events build on, and what is open for a restored database. */
  async marks(): Promise<HighWaterMark[]> {
    const { body } = await this.get('/v1/marks', MarksAnswer, [200]);
    return body.marks;
  }

  /**
   * Makes the proxy create a key; a repeated request returns the same key.
   * @throws SignerError `key_refused` with the proxy's own word in `details.error`, `signing_unavailable`
   */
  async makeKey(kid: string, purposes: readonly SignerPurpose[]): Promise<KeyInfo> {
    if (this.closed) throw new SignerError('closed', 'The signing client is closed');
    let status: number;
    let text: string;
    try {
      const answer = await this.http.exchange(
        { path: '/v1/keys', method: 'POST', headers: JSON_BODY, body: JSON.stringify({ kid, purposes }) },
        { signal: AbortSignal.timeout(MAKING_TIMEOUT_MS), maxBytes: MAX_ANSWER_BYTES },
      );
      text = answer.bytes.toString();
      status = answer.status;
      if (status === 200 || status === 201) return KeyAnswer.parse(JSON.parse(text));
    } catch (error) {
      throw new SignerError(
        'signing_unavailable',
        `The signing proxy did not say whether it has made a key: ${reasonOf(error)}`,
        { reason: 'unreachable' },
        { cause: error },
      );
    }
    const { error, ...problem } = problemOf(status, text);
    const refused = status >= 400 && status < 500;
    throw new SignerError(
      refused ? 'key_refused' : 'signing_unavailable',
      `The signing proxy has made no key: ${problem.detail ?? error}`,
      { status, error },
    );
  }

  /** The last checkpoint of each shard that the proxy has signed. */
  async lastCheckpoints(): Promise<LastCheckpoint[]> {
    const { body } = await this.get('/v1/checkpoints', CheckpointsAnswer, [200]);
    return body.checkpoints;
  }

  /**
   * Has the checkpoint of a shard's log signed. The same request may be repeated: it gives the same signature.
   * @returns name of the key, and the signature over the note's text in base64
   * @throws SignerError `signing_refused` with the proxy's word in `details.error`: `checkpoint_conflict` (with the last
   *   `size` and `root`), `beyond_committed` (with `signed`), `invalid_consistency`, `unknown_shard`,
   *   `client_not_permitted` and others; `unknown_key`; `signing_unavailable` (try later); `closed`
   */
  async signCheckpoint(request: CheckpointSignatureRequest): Promise<{ kid: string; signature: string }> {
    if (this.closed) throw new SignerError('closed', 'The signing client is closed');
    const { kid, shard, size, root, consistency } = request;
    let answer: HttpAnswer;
    try {
      answer = await this.http.exchange(
        {
          path: '/v1/checkpoints',
          method: 'POST',
          headers: headersAt(currentPlace()),
          body: JSON.stringify({ ...(kid !== undefined && { kid }), shard, size, root, consistency }),
        },
        { signal: AbortSignal.timeout(this.timeoutMs), maxBytes: MAX_ANSWER_BYTES },
      );
    } catch (error) {
      throw new SignerError(
        'signing_unavailable',
        `The signing proxy cannot be reached: ${reasonOf(error)}`,
        { reason: 'unreachable' },
        { cause: error },
      );
    }
    const text = answer.bytes.toString();
    if (answer.status !== 200) throw readProblem(answer.status, text).error;
    const signed = CheckpointAnswer.safeParse(jsonOf(text));
    if (!signed.success || !SIGNATURE.test(signed.data.signature)) {
      throw unusable('it is no signature of 64 bytes in base64');
    }
    if (kid !== undefined && signed.data.kid !== kid)
      throw unusable(`the signature is by another key than ${kid}`);
    return signed.data;
  }

  /** The proxy's own report on its backends; 503 with `ok: false` is also an answer. */
  async health(): Promise<ProxyHealth> {
    const { body } = await this.get('/v1/health', HealthAnswer, [200, 503]);
    return body;
  }

  /** Waits for the running calls (their deadlines bound it) and closes the connections. */
  close(): Promise<void> {
    this.closing ??= this.finish();
    return this.closing;
  }

  private async finish(): Promise<void> {
    this.closed = true;
    while (this.inFlight > 0 || this.queuedInputs > 0) {
      await new Promise<void>((resolve) => this.idle.push(resolve));
    }
    this.options.renewals?.close();
    await this.http.close();
  }

  /** Sends batches after the current events are handled: callers in the same turn of the loop share the first batch. */
  private pumpSoon(): void {
    if (this.pumping) return;
    this.pumping = true;
    setImmediate(() => {
      this.pumping = false;
      this.pump();
    });
  }

  private pump(): void {
    while (this.inFlight < this.maxInFlight && !this.betterTogether()) {
      const batch = this.resend.shift() ?? this.nextBatch();
      if (!batch) break;
      if (batch.segments.every(({ call }) => call.settled)) continue;
      this.inFlight++;
      this.lastSentAt = performance.now();
      void this.run(batch);
    }
    if (this.inFlight === 0 && this.queuedInputs === 0) {
      for (const resolve of this.idle.splice(0)) resolve();
    }
  }

  /** Whether so little waits that it should go together with what comes until the running request has ended. */
  private betterTogether(): boolean {
    if (this.inFlight === 0 || this.resend.length > 0 || this.queuedInputs === 0) return false;
    if (this.queuedInputs >= Math.min(PARALLEL_FROM, this.maxBatch)) return false;
    if (this.queue.some(({ requests }) => requests[0]?.purpose === 'audit-event')) return false;
    const waitMs = this.lastSentAt + PATIENCE_MS - performance.now();
    if (waitMs <= 0) return false;
    this.patience ??= setTimeout(() => {
      this.patience = undefined;
      this.pump();
    }, waitMs);
    this.patience.unref();
    return true;
  }

  /**
   * Whether a call goes by itself: large calls that come together get a request each, as long as another one may be
   * sent. In one request they would be answered together and come together again for ever, each side idle while the
   * other works.
   */
  private goesAlone(taken: number, call: Call): boolean {
    const large = Math.min(taken, call.items.length - call.dispatched) >= PARALLEL_FROM;
    return large && this.inFlight + 1 < this.maxInFlight;
  }

  private nextBatch(): Batch | null {
    const segments: Segment[] = [];
    let room = this.maxBatch;
    while (room > 0) {
      const call = this.queue[0];
      if (!call) break;
      if (this.goesAlone(this.maxBatch - room, call)) break;
      const from = call.dispatched;
      const to = call.settled ? from : Math.min(call.items.length, from + room);
      if (to > from) {
        segments.push({ call, from, to });
        call.dispatched = to;
        this.queuedInputs -= to - from;
        room -= to - from;
      }
      if (call.settled || to === call.items.length) this.queue.shift();
    }
    return segments.length === 0 ? null : batchOf(segments, true);
  }

  private async run(batch: Batch): Promise<void> {
    const started = performance.now();
    const outcome = spotChecked(batch, await this.send(batch));
    this.options.onBatch?.({
      inputs: inputsIn(batch),
      callers: batch.segments.length,
      ms: performance.now() - started,
      ok: outcome.kind === 'signed',
    });
    for (const { call } of batch.segments) call.batches.delete(batch);
    this.inFlight--;
    switch (outcome.kind) {
      case 'signed':
        this.deliver(batch, outcome.signatures);
        break;
      case 'refused':
        this.refuse(batch, outcome);
        break;
      case 'unavailable':
        // Signing the same bytes again is harmless, so a connection that broke gets one more try.
        if (outcome.broken && batch.mayRetry) this.resend.push(batchOf(batch.segments, false));
        else for (const { call } of batch.segments) this.fail(call, outcome.error);
        break;
    }
    this.pump();
  }

  private deliver(batch: Batch, signatures: ProxySignature[]): void {
    let next = 0;
    for (const { call, from, to } of batch.segments) {
      for (let index = from; index < to; index++) call.results[index] = signatures[next++];
      call.missing -= to - from;
      if (call.missing === 0 && !call.settled) {
        this.settle(call);
        call.resolve(call.results as ProxySignature[]);
      }
    }
  }

  private refuse(batch: Batch, { error, index }: Extract<Outcome, { kind: 'refused' }>): void {
    const [first, ...others] = batch.segments;
    if (first && others.length === 0) {
      // The caller counts in its own list, not in the part of it that was in this batch.
      const details = index === undefined ? error.details : { ...error.details, index: first.from + index };
      this.fail(first.call, new SignerError(error.code, error.message, details, { cause: error }));
      return;
    }
    for (const segment of batch.segments) this.resend.push(batchOf([segment], true));
  }

  private expire(call: Call): void {
    this.fail(
      call,
      new SignerError('signing_unavailable', `The signing proxy did not answer within ${this.timeoutMs} ms`, {
        reason: 'deadline',
      }),
    );
    // A request without a waiting caller gives its place to others.
    for (const batch of call.batches) {
      if (batch.segments.every((segment) => segment.call.settled)) abandon(batch);
    }
    this.pump();
  }

  private fail(call: Call, error: SignerError): void {
    if (call.settled) return;
    this.settle(call);
    call.reject(error);
  }

  private settle(call: Call): void {
    call.settled = true;
    clearTimeout(call.timer);
    this.queuedInputs -= call.items.length - call.dispatched;
    call.dispatched = call.items.length;
  }

  private async send(batch: Batch): Promise<Outcome> {
    for (const { call } of batch.segments) call.batches.add(batch);
    let answer: HttpAnswer;
    try {
      answer = await this.post(batch);
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      return {
        kind: 'unavailable',
        broken: typeof code === 'string' && BROKEN_CONNECTION.has(code),
        error: new SignerError(
          'signing_unavailable',
          `The signing proxy cannot be reached: ${reasonOf(error)}`,
          { reason: 'unreachable' },
          { cause: error },
        ),
      };
    }
    const text = answer.bytes.toString();
    return answer.status === 200 ? readSignatures(text, batch) : readProblem(answer.status, text);
  }

  private post(batch: Batch): Promise<HttpAnswer> {
    const items = batch.segments.flatMap(({ call, from, to }) => call.items.slice(from, to));
    const span = spanOf(batch);
    const exchange = (): Promise<HttpAnswer> => this.exchange(batch, items, span);
    return span === undefined ? exchange() : ended(span, exchange);
  }

  private exchange(
    batch: Batch,
    items: readonly string[],
    trace: TracePlace | undefined,
  ): Promise<HttpAnswer> {
    const headers = headersAt(trace);
    return this.http.exchange(
      { path: '/v1/sign', method: 'POST', headers, body: `{"requests":[${items.join(',')}]}` },
      {
        maxBytes: MAX_ANSWER_BYTES,
        onStart: (abort) => {
          batch.abort = abort;
          if (batch.abandoned) abandon(batch);
        },
      },
    );
  }

  private async get<T>(
    path: string,
    schema: { parse: (value: unknown) => T },
    statuses: number[],
  ): Promise<{ body: T }> {
    if (this.closed) throw new SignerError('closed', 'The signing client is closed');
    let status: number | undefined;
    try {
      const answer = await this.http.exchange(
        { path, method: 'GET' },
        { signal: AbortSignal.timeout(this.timeoutMs), maxBytes: MAX_ANSWER_BYTES },
      );
      status = answer.status;
      if (!statuses.includes(status)) throw new Error(`status ${status}`);
      return { body: schema.parse(JSON.parse(answer.bytes.toString())) };
    } catch (error) {
      throw new SignerError(
        'signing_unavailable',
        `The signing proxy did not answer ${path}: ${reasonOf(error)}`,
        { reason: 'unreachable', ...(status !== undefined && { status }) },
        { cause: error },
      );
    }
  }
}

function encodeItem({ purpose, kid, input, committed }: SignatureRequest): string {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  const known = committed === undefined ? '' : `,"committed":${committed}`;
  return `{"purpose":"${purpose}","kid":${JSON.stringify(kid)},"input":"${bytes.toString('base64')}"${known}}`;
}

function batchOf(segments: Segment[], mayRetry: boolean): Batch {
  return { segments, mayRetry, abandoned: false, abort: undefined };
}

function abandon(batch: Batch): void {
  batch.abandoned = true;
  batch.abort?.(new Error('nobody waits for the answer any more'));
}

function headersAt(trace: TracePlace | undefined): Record<string, string> {
  return trace === undefined ? JSON_BODY : { ...JSON_BODY, traceparent: trace.traceparent };
}

/** Span of a request to the proxy: of the first call in it that is part of a trace; the others are named in links. */
function spanOf(batch: Batch): TracedSpan | undefined {
  const places = batch.segments.flatMap(({ call }) => (call.trace === undefined ? [] : [call.trace]));
  const first = places.find(({ isRecorded }) => isRecorded) ?? places[0];
  return first?.child('POST /v1/sign', {
    kind: 'client',
    links: places.filter((place) => place !== first && place.isRecorded),
    attributes: { 'kernel.signatures': inputsIn(batch) },
  });
}

function inputsIn(batch: Batch): number {
  return batch.segments.reduce((sum, { from, to }) => sum + to - from, 0);
}

function requestsIn(batch: Batch): SignatureRequest[] {
  return batch.segments.flatMap(({ call, from, to }) => call.requests.slice(from, to));
}

/**
 * Verifies any one signature of each key. An answer comes from one process, which has one key of each name: when that
 * is not the key which the caller knows (a proxy was given other key files, another token), every signature is wrong,
 * and this one shows it. Verifying all would cost more than signing them. On this thread it takes a tenth of a
 * millisecond, while the way to the thread pool and back makes the whole group wait for up to two.
 */
function spotChecked(batch: Batch, outcome: Outcome): Outcome {
  if (outcome.kind !== 'signed') return outcome;
  const requests = requestsIn(batch);
  const byKid = Map.groupBy(requests.keys(), (index) => requests[index]?.kid);
  for (const [kid, indexes] of byKid) {
    const index = indexes[randomInt(indexes.length)] as number;
    const { input, publicKey } = requests[index] as SignatureRequest;
    const signature = Buffer.from(outcome.signatures[index]?.signature ?? '', 'base64');
    if (publicKey === undefined || verifyEd25519(publicKey, input, signature)) continue;
    return {
      kind: 'unavailable',
      broken: false,
      error: new SignerError(
        'signing_unavailable',
        `The signing proxy signs with another key than the one known as ${kid}; give it back that key`,
        { reason: 'wrong_key', kid },
      ),
    };
  }
  return outcome;
}

/** Checks only counts and forms: a proxy that answers with something else is useless. */
function readSignatures(text: string, batch: Batch): Outcome {
  const invalid = (what: string): Outcome => ({ kind: 'unavailable', broken: false, error: unusable(what) });
  let signatures: unknown;
  try {
    ({ signatures } = JSON.parse(text) as { signatures: unknown });
  } catch (error) {
    return invalid(reasonOf(error));
  }
  const kids = requestsIn(batch).map(({ kid }) => kid);
  if (!Array.isArray(signatures) || signatures.length !== kids.length) {
    return invalid(`${kids.length} signatures were expected`);
  }
  const checked: ProxySignature[] = [];
  for (const [index, item] of (signatures as unknown[]).entries()) {
    const { kid, keyVersion, signature } = (item ?? {}) as Record<string, unknown>;
    if (kid !== kids[index]) return invalid(`signature ${index} is by another key than ${kids[index]}`);
    if (typeof keyVersion !== 'string') return invalid(`signature ${index} names no key version`);
    if (typeof signature !== 'string' || !SIGNATURE.test(signature)) {
      return invalid(`signature ${index} is not 64 bytes in base64`);
    }
    checked.push({ kid: kid as string, keyVersion, signature });
  }
  return { kind: 'signed', signatures: checked };
}

function unusable(what: string): SignerError {
  return new SignerError('signing_unavailable', `The signing proxy's answer is not usable: ${what}`, {
    reason: 'invalid_answer',
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Advice for refusals that an operator has to end: nothing else makes the next request succeed. */
function whatToDo({ error, signed }: z.infer<typeof ProblemAnswer>): string {
  if (error === 'unknown_shard') return '. Give kernel and signing proxy the same KERNEL_SHARDS';
  if (error !== 'position_ahead' || signed === undefined) return '';
  return (
    '. Either the proxy has lost its marks, or this is another database than it signed for. If it is the right one, an ' +
    `operator says where it ends: ./kernel keys restore-window --shard ${signed.shard} --seq HEAD`
  );
}

function problemOf(status: number, text: string): z.infer<typeof ProblemAnswer> {
  try {
    return ProblemAnswer.parse(JSON.parse(text));
  } catch {
    return { error: `status_${status}` };
  }
}

/** 4xx: the proxy will not sign this, now or later. Anything else: it cannot sign at the moment. */
function readProblem(status: number, text: string): Exclude<Outcome, { kind: 'signed' }> {
  const problem = problemOf(status, text);
  const said = (problem.detail ?? problem.error) + whatToDo(problem);
  if (status >= 400 && status < 500 && status !== 408 && status !== 429) {
    const code = problem.error === 'unknown_key' ? 'unknown_key' : 'signing_refused';
    return {
      kind: 'refused',
      index: problem.index,
      error: new SignerError(code, `The signing proxy refuses to sign: ${said}`, {
        status,
        error: problem.error,
        ...(problem.mark !== undefined && { mark: problem.mark }),
        ...(problem.signed !== undefined && { signed: problem.signed }),
        ...(problem.size !== undefined && { size: problem.size }),
        ...(problem.root !== undefined && { root: problem.root }),
      }),
    };
  }
  return {
    kind: 'unavailable',
    broken: false,
    error: new SignerError('signing_unavailable', `The signing proxy cannot sign now: ${said}`, {
      reason: 'proxy',
      status,
      error: problem.error,
    }),
  };
}
