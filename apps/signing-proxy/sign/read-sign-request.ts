import { hash } from 'node:crypto';
import {
  KEY_PURPOSE_OF,
  MAX_PROXY_BATCH,
  MAX_SIGNING_INPUT_BYTES,
  type BatchPurpose,
} from '#platform/signer';
import { type RefusalCode, SigningRefusal } from '../refusal';

export interface SignItem {
  index: number;
  purpose: BatchPurpose;
  kid: string;
  input: Buffer;
  /** For an audit event: the position of its shard that the caller knows to be committed. */
  committed?: number;
}

const MEMBERS = ['purpose', 'kid', 'input'];

/**
 * Reads the body of POST /v1/sign by hand: it is three strings an item, thousands of times a second.
 * @throws SigningRefusal naming the first item that does not fit
 */
export function readSignRequest(body: unknown): SignItem[] {
  const requests = isObject(body) && Object.keys(body).length === 1 ? body['requests'] : undefined;
  if (!Array.isArray(requests) || requests.length === 0) {
    throw new SigningRefusal(
      'malformed_request',
      'The body has to be { "requests": [...] } with at least one request',
    );
  }
  if (requests.length > MAX_PROXY_BATCH) {
    throw new SigningRefusal(
      'batch_too_large',
      `${requests.length} requests are in the batch; at most ${MAX_PROXY_BATCH} are signed at once`,
    );
  }
  return requests.map(readItem);
}

function readItem(item: unknown, index: number): SignItem {
  const refuse = (code: RefusalCode, what: string): never => {
    throw new SigningRefusal(code, `Request ${index}: ${what}`, { index });
  };
  const members = isObject(item) ? Object.keys(item).length : 0;
  if (!isObject(item) || members !== MEMBERS.length + Number(Object.hasOwn(item, 'committed'))) {
    return refuse(
      'malformed_request',
      `it has to have the members ${MEMBERS.join(', ')}, for an audit event also committed, and no others`,
    );
  }
  const { purpose, kid, input, committed } = item;
  if (typeof purpose !== 'string' || typeof kid !== 'string' || typeof input !== 'string') {
    return refuse('malformed_request', `${MEMBERS.join(', ')} have to be strings`);
  }
  if (!Object.hasOwn(KEY_PURPOSE_OF, purpose)) {
    return refuse('unknown_purpose', 'nothing is signed for this purpose');
  }
  if (purpose === 'log-checkpoint') {
    return refuse('unknown_purpose', 'a checkpoint is signed by POST /v1/checkpoints, with its proof');
  }
  if (committed !== undefined && (purpose !== 'audit-event' || !isPosition(committed))) {
    return refuse('malformed_request', 'committed is a position, and only audit events have one');
  }
  const bytes = Buffer.from(input, 'base64');
  // Buffer reads anything as base64; only the one right spelling comes back out the same.
  if (bytes.toString('base64') !== input) {
    return refuse('malformed_request', 'its input is not base64 (standard alphabet, with padding)');
  }
  if (bytes.length === 0 || bytes.length > MAX_SIGNING_INPUT_BYTES) {
    throw new SigningRefusal(
      'input_not_of_purpose',
      `Request ${index}: its input has ${bytes.length} bytes; 1 to ${MAX_SIGNING_INPUT_BYTES} can be signed`,
      { index, purpose, kid, digest: hash('sha256', bytes, 'hex') },
    );
  }
  const read: SignItem = { index, purpose: purpose as BatchPurpose, kid, input: bytes };
  if (committed !== undefined) read.committed = committed as number;
  return read;
}

function isPosition(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
