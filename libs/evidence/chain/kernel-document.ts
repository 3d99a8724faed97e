import { importKey, verifyEd25519 } from '#evidence-crypto';
import { canonicalize } from '../json/canonical-json';
import { base64Encode } from '../json/base64';
import {
  dssePae,
  type Envelope,
  parseDssePae,
  type ParsedEnvelope,
  parseKernelEnvelope,
} from '../manifests/dsse';
import { EvidenceError } from '../evidence.error';
import { exactObject } from '../json/exact-object';
import { type JsonObject, type JsonValue } from '../json/json-value';
import { whyCheckpointKeyDoesNotCount } from '../keys/checkpoint-key';
import { type ShardPosition } from '../keys/key-span';
import { checkedKeyOfPem } from '../keys/public-key';
import { type TrustedSigner } from '../keys/signers';
import { parseCanonicalJson } from '../json/strict-json.parser';

/**
 * Statement of a kernel about its own chain, signed with a checkpoint key (docs/spec/archive.md): a small document in a
 * DSSE envelope whose payload type names exactly this kind of document.
 */
export interface DocumentFormat<T extends KernelDocument> {
  readonly payloadType: string;
  /** The member `type`. */
  readonly type: string;
  /** For messages: "an archive day". */
  readonly name: string;
  readonly members: { readonly [K in keyof T]: (value: JsonValue | undefined) => boolean };
  /** Checks the members against each other; returns a sentence when they contradict each other. */
  contradiction(document: T): string | null;
  /**
   * Latest event of which the document speaks: it was signed after that. Null when it tells no position, so that
   * nothing shows when it was signed.
   */
  position(document: T): ShardPosition | null;
}

export interface KernelDocument {
  /** The kernel that makes the statement. */
  origin: string;
  /** RFC 3339 UTC with milliseconds. */
  signedAt: string;
}

const encoder = new TextEncoder();

/** Canonical bytes of the document: the payload of its envelope. @throws EvidenceError `invalid_document` */
export function documentPayload<T extends KernelDocument>(
  format: DocumentFormat<T>,
  document: T,
): Uint8Array<ArrayBuffer> {
  const value = { type: format.type, ...document } as unknown as JsonObject;
  readDocument(format, value);
  return encoder.encode(canonicalize(value));
}

/** The bytes that a checkpoint key signs. */
export function documentSigningInput<T extends KernelDocument>(
  format: DocumentFormat<T>,
  payload: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return dssePae(format.payloadType, payload);
}

/** Reads a signing input back. Refuses anything that the functions above would not have made from a document. */
export function parseDocumentSigningInput<T extends KernelDocument>(
  format: DocumentFormat<T>,
  bytes: Uint8Array,
): T {
  const pae = parseDssePae(bytes);
  if (pae?.payloadType !== format.payloadType) {
    throw new EvidenceError(
      'invalid_signing_input',
      `This is no DSSE pre-authentication encoding of type ${format.payloadType}.`,
    );
  }
  return parseDocument(format, pae.payload);
}

/** Reads a payload: canonical, and exactly the members of the format. @throws EvidenceError `invalid_document` */
export function parseDocument<T extends KernelDocument>(format: DocumentFormat<T>, payload: Uint8Array): T {
  let value: JsonValue;
  try {
    ({ value } = parseCanonicalJson(payload));
  } catch (cause) {
    const pointer = cause instanceof EvidenceError ? cause.pointer : undefined;
    throw new EvidenceError('invalid_document', 'The payload is not canonical JSON (RFC 8785).', {
      ...(pointer === undefined ? {} : { pointer }),
      cause,
    });
  }
  return readDocument(format, value);
}

function readDocument<T extends KernelDocument>(format: DocumentFormat<T>, value: JsonValue): T {
  const refuse = (pointer: string, message: string): EvidenceError =>
    new EvidenceError('invalid_document', `This is not ${format.name}: ${message}.`, { pointer });
  const names = ['type', ...Object.keys(format.members)];
  const root = exactObject(value, names);
  if (root === null) throw refuse('', `it must have ${names.join(', ')}, nothing else`);
  if (root['type'] !== format.type) throw refuse('/type', `type must be ${format.type}`);
  for (const [name, fits] of Object.entries<(value: JsonValue | undefined) => boolean>(format.members)) {
    if (!fits(root[name])) throw refuse(`/${name}`, `the value of ${name} does not fit`);
  }
  const { type: _, ...members } = root;
  const document = members as unknown as T;
  const wrong = format.contradiction(document);
  if (wrong !== null) throw refuse('', wrong);
  return document;
}

/** The bytes that are stored: the canonical envelope. */
export function documentEnvelope<T extends KernelDocument>(
  format: DocumentFormat<T>,
  payload: Uint8Array,
  keyid: string,
  sigBase64: string,
): Uint8Array<ArrayBuffer> {
  const envelope: Envelope = {
    payloadType: format.payloadType,
    payload: base64Encode(payload),
    signatures: [{ keyid, sig: sigBase64 }],
  };
  return encoder.encode(canonicalize(envelope as unknown as JsonValue));
}

export interface DocumentVerification {
  /** The stored bytes. */
  envelope: Uint8Array;
  keys: readonly TrustedSigner[];
  /** The kernel that must have signed. */
  origin: string;
}

export interface DocumentVerdict<T> {
  /** Null when nothing can be read; its content can be relied on only without reasons. */
  document: T | null;
  /** Empty when valid; each starts with a stable word and a colon. */
  reasons: string[];
}

/** Checks a stored document offline (docs/spec/archive.md, section 4). Never throws, whatever the input. */
export function verifyDocument<T extends KernelDocument>(
  format: DocumentFormat<T>,
  { envelope, keys, origin }: DocumentVerification,
): DocumentVerdict<T> {
  try {
    const { value } = parseCanonicalJson(envelope);
    const { payloadType, payload, signatures } = parseKernelEnvelope(value);
    if (payloadType !== format.payloadType) {
      return { document: null, reasons: [`payload_type: the envelope holds ${JSON.stringify(payloadType)}`] };
    }
    const document = parseDocument(format, payload);
    const reasons: string[] = [];
    if (document.origin !== origin) reasons.push(`origin: signed by ${document.origin}, not by ${origin}`);
    const input = dssePae(payloadType, payload);
    const position = format.position(document);
    const refusals = signatures.map((signature) => whyNotSigned(keys, signature, input, position));
    if (!refusals.includes(null)) reasons.push(...refusals.filter((reason) => reason !== null));
    return { document, reasons };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return { document: null, reasons: [`${error.code}: ${error.located}`] };
  }
}

function whyNotSigned(
  keys: readonly TrustedSigner[],
  { keyid, sig }: ParsedEnvelope['signatures'][number],
  input: Uint8Array,
  position: ShardPosition | null,
): string | null {
  const key = keys.find(({ signer_kid }) => signer_kid === keyid);
  if (key === undefined) return `unknown_key: ${keyid} is not a known signer`;
  if (
    key.purposes.includes('checkpoint') &&
    !verifyEd25519(importKey(checkedKeyOfPem(key.public_key_pem)), input, sig)
  ) {
    return `signature: not made by ${keyid} over this document`;
  }
  return whyCheckpointKeyDoesNotCount(key, position, keys);
}
