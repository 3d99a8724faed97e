import {
  addCheckpointText,
  EvidenceError,
  type LogPolicy,
  type NoteKey,
  type NoteSignature,
  parseCheckpointNote,
  parseNoteKey,
  parseSignatureLines,
  parseTreeSize,
  printable,
  signatureBy,
  signatureLine,
} from '#evidence';
import { HttpClient } from '#platform/http-client';
import { WitnessError } from './witness.error';

export interface WitnessRequest {
  /** Size that the witness cosigned last; 0 when it is not known. */
  readonly oldSize: number;
  /** The proof of consistency from there (RFC 9162 section 2.1.4); empty for 0. */
  readonly consistency: readonly Uint8Array[];
  /** The signed note. */
  readonly checkpointNote: string;
}

/** The witness's signature lines for the note, verified; or the size at which it is when that is not `oldSize`. */
export type WitnessAnswer = { readonly cosignatures: readonly string[] } | { readonly conflict: number };

export interface HttpWitnessOptions {
  /** Name in the policy, in metrics and in the log. */
  name: string;
  /** Its submission prefix: https, or http on this machine. */
  url: string;
  /** Its verifier key, for cosignatures. */
  vkey: string | NoteKey;
  /** Authorities (PEM) of its server, where the system does not know them. */
  ca?: string | Buffer | undefined;
  /** How long one request may take. Default 5 s. */
  timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 5_000;
/** A few lines, or a sentence. */
const MAX_ANSWER_BYTES = 16_384;
const MAX_SENTENCE = 200;
const CONNECTIONS = 2;
/** A checkpoint comes every second while there is something new, and every ten minutes otherwise. */
const KEEP_ALIVE_MS = 30_000;
const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost']);

/** A witness that is asked over HTTP (c2sp.org/tlog-witness). */
export class HttpWitness {
  readonly name: string;
  readonly key: NoteKey;
  private readonly http: HttpClient;
  private readonly path: string;
  private readonly timeoutMs: number;

  /** @throws WitnessError `misconfigured` */
  constructor({ name, url, vkey, ca, timeoutMs = DEFAULT_TIMEOUT_MS }: HttpWitnessOptions) {
    const refuse = (why: string, cause?: unknown) =>
      new WitnessError('misconfigured', `The witness ${name} cannot be used: ${why}.`, { name }, { cause });
    if (!URL.canParse(url)) throw refuse('its URL is not one');
    const { protocol, hostname, origin, pathname, search, username, password } = new URL(url);
    if (protocol !== 'https:' && !(protocol === 'http:' && LOOPBACK.has(hostname))) {
      throw refuse('its URL must be https (http will do on this machine)');
    }
    if (username !== '' || password !== '' || search !== '') {
      throw refuse('its URL must hold no credentials and no query');
    }
    try {
      this.key = typeof vkey === 'string' ? parseNoteKey(vkey) : vkey;
    } catch (cause) {
      throw refuse(cause instanceof EvidenceError ? cause.message : String(cause), cause);
    }
    if (this.key.type !== 'cosignature/v1') throw refuse('its key is not one for cosignatures (0x04)');
    this.name = name;
    this.path = `${pathname.replace(/\/+$/, '')}/add-checkpoint`;
    this.timeoutMs = timeoutMs;
    this.http = new HttpClient({
      origin,
      tls: ca === undefined ? {} : { ca },
      connections: CONNECTIONS,
      connectTimeoutMs: timeoutMs,
      keepAliveMs: KEEP_ALIVE_MS,
    });
  }

  /**
   * Asks for a cosignature. Lines of other keys than the witness's are dropped.
   * @param signal ends the request
   * @throws WitnessError `unreachable`, `refused`, `invalid_answer`; the reason of the signal
   */
  async addCheckpoint(request: WitnessRequest, signal?: AbortSignal): Promise<WitnessAnswer> {
    const { oldSize, consistency, checkpointNote } = request;
    const timeout = AbortSignal.timeout(this.timeoutMs);
    let status: number;
    let text: string;
    try {
      const answer = await this.http.exchange(
        {
          method: 'POST',
          path: this.path,
          headers: { 'content-type': 'text/plain; charset=utf-8', 'user-agent': 'illuvrse-kernel' },
          body: addCheckpointText({ oldSize, consistency, checkpoint: checkpointNote }),
        },
        {
          signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
          maxBytes: MAX_ANSWER_BYTES,
        },
      );
      status = answer.status;
      text = answer.bytes.toString('utf8');
    } catch (cause) {
      signal?.throwIfAborted();
      const why = timeout.aborted ? `no answer within ${this.timeoutMs} ms` : (cause as Error).message;
      throw this.error('unreachable', `could not be asked: ${why}`, { cause });
    }
    if (status === 200) return { cosignatures: this.verified(checkpointNote, text) };
    if (status === 409) {
      const size = parseTreeSize(text.replace(/\n$/, ''));
      // At the same size the conflict is about the root, and a proof from there would change nothing.
      if (size !== null && size !== oldSize) return { conflict: size };
    }
    const sentence = printable(text.trim().slice(0, MAX_SENTENCE));
    throw this.error('refused', `answered ${status}: ${sentence === '' ? 'nothing more' : sentence}`, {
      status,
    });
  }

  /** Ends the requests that are under way. */
  close(): Promise<void> {
    return this.http.destroy();
  }

  private verified(checkpointNote: string, answer: string): string[] {
    let given: NoteSignature[];
    try {
      given = parseSignatureLines(answer);
    } catch (cause) {
      throw this.error('invalid_answer', 'answered with something else than signature lines', { cause });
    }
    const { text } = parseCheckpointNote(checkpointNote);
    const signatures = given.filter(
      (one) => signatureBy(this.key, { text, signatures: [one] }).state === 'signed',
    );
    if (signatures.length === 0) {
      throw this.error('invalid_answer', 'answered without a cosignature by its key over this checkpoint');
    }
    return signatures.map(signatureLine);
  }

  private error(
    code: 'unreachable' | 'refused' | 'invalid_answer',
    what: string,
    { cause, ...details }: { cause?: unknown; status?: number } = {},
  ): WitnessError {
    return new WitnessError(
      code,
      `The witness ${this.name} ${what}.`,
      { witness: this.name, ...details },
      { cause },
    );
  }
}

/**
 * The witnesses of a policy that can be asked.
 * @throws WitnessError `misconfigured`, also for a witness without a URL
 */
export function witnessesOf(
  { witnesses }: LogPolicy,
  options: Pick<HttpWitnessOptions, 'ca' | 'timeoutMs'> = {},
): HttpWitness[] {
  return witnesses.map(({ name, key, url }) => {
    if (url !== null) return new HttpWitness({ ...options, name, url, vkey: key });
    throw new WitnessError(
      'misconfigured',
      `The policy gives no URL for the witness ${name}; without one it cannot be asked.`,
      { name },
    );
  });
}
