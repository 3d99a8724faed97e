/**
 * The process that talks to a PKCS#11 module: started by TokenProcess, never imported for its effects.
 *
 * A process and not a thread, by measurement and by experience (two cores, SoftHSM 2.6, batches of 50, two of them):
 *   threads share one initialised module and its locks: 17,500/s; processes: 23,000/s, 29,700/s with the batch split;
 *   pkcs11js's asynchronous calls cost twice the CPU of its synchronous ones and have an open use-after-free (#121);
 *   a native crash ends this process and not the proxy, and a call that hangs in the module can be ended at all.
 * It also gives the module an environment of its own (SoftHSM reads SOFTHSM2_CONF at C_Initialize).
 *
 * This file imports nothing of the project and uses only types that can be erased (no parameter properties): it is
 * compiled with the rest, and in tests Node runs it as it is.
 */
import { readFileSync, statSync } from 'node:fs';
import type { Handle, PKCS11, Template } from 'pkcs11js';

export interface TokenKeyRequest {
  kid: string;
  purposes: string[];
}

export interface OpenRequest {
  op: 'open';
  modulePath: string;
  tokenLabel: string;
  pinFile: string;
  environment: Record<string, string>;
  keys: TokenKeyRequest[];
}

export interface ProvisionRequest {
  op: 'provision';
  modulePath: string;
  tokenLabel: string;
  pinFile: string;
  soPinFile: string;
  environment: Record<string, string>;
  keys: TokenKeyRequest[];
  now: string;
}

export interface SignRequest {
  op: 'sign';
  kid: string;
  messages: Uint8Array[];
}

/**
 * Requests to an open token: whether the name is taken, make a key pair (unless it exists), or check an existing one.
 */
export type KeyRequest =
  | { op: 'has'; kid: string }
  | { op: 'make'; key: TokenKeyRequest; now: string }
  | { op: 'take'; key: TokenKeyRequest };

export type TokenRequest = OpenRequest | ProvisionRequest | SignRequest | KeyRequest;

export interface TokenKey {
  kid: string;
  /** Raw 32 bytes. */
  publicKey: Uint8Array;
  createdAt: string | null;
}

/** A token's own description, and whether it computed correctly. */
export interface TokenFacts {
  /** CK_TOKEN_INFO, without the padding. */
  manufacturer: string;
  model: string;
  /** `passed`, or why the token would not accept the known key; a token that computes wrongly is refused. */
  knownVector: string;
}

export type TokenReply =
  | { id: number; ok: true; keys?: TokenKey[]; token?: TokenFacts; signatures?: Uint8Array; taken?: boolean }
  | { id: number; ok: false; failure: TokenFailure };

/**
 * `misconfigured`, `key_refused`, `unknown_key` and `invalid_request` stay until someone changes something; `token_error` may pass.
 * `lockout` marks refusals that must not be retried: tokens lock themselves after a few wrong PINs.
 */
export interface TokenFailure {
  code: 'misconfigured' | 'key_refused' | 'unknown_key' | 'invalid_request' | 'token_error';
  message: string;
  lockout?: boolean;
}

/** The word that makes this file run as the token process when it is the program's first argument. */
export const TOKEN_PROCESS_ROLE = 'illuvrse-pkcs11-token';

/** The used part of pkcs11js, so that a test can replace it with a failing token. */
export type Cryptoki = Pick<
  PKCS11,
  | 'C_GetSlotList'
  | 'C_GetTokenInfo'
  | 'C_InitToken'
  | 'C_InitPIN'
  | 'C_OpenSession'
  | 'C_CloseSession'
  | 'C_Login'
  | 'C_Logout'
  | 'C_FindObjectsInit'
  | 'C_FindObjects'
  | 'C_FindObjectsFinal'
  | 'C_GetAttributeValue'
  | 'C_GenerateKeyPair'
  | 'C_CreateObject'
  | 'C_DestroyObject'
  | 'C_SignInit'
  | 'C_Sign'
>;

// PKCS#11 3.0, sections 2.3 and 4; pkcs11js has no names for the EdDSA ones.
const CKM_EC_EDWARDS_KEY_PAIR_GEN = 0x1055;
const CKM_EDDSA = 0x1057;
const CKK_EC_EDWARDS = 0x40;
const CKO_DATA = 0;
const CKO_PUBLIC_KEY = 2;
const CKO_PRIVATE_KEY = 3;
const CKA_CLASS = 0x0;
const CKA_TOKEN = 0x1;
const CKA_PRIVATE = 0x2;
const CKA_LABEL = 0x3;
const CKA_APPLICATION = 0x10;
const CKA_VALUE = 0x11;
const CKA_KEY_TYPE = 0x100;
const CKA_ID = 0x102;
const CKA_SENSITIVE = 0x103;
const CKA_SIGN = 0x108;
const CKA_VERIFY = 0x10a;
const CKA_EXTRACTABLE = 0x162;
const CKA_LOCAL = 0x163;
const CKA_NEVER_EXTRACTABLE = 0x164;
const CKA_ALWAYS_SENSITIVE = 0x165;
const CKA_MODIFIABLE = 0x170;
const CKA_EC_PARAMS = 0x180;
const CKA_EC_POINT = 0x181;
const CKF_RW_SESSION = 2;
const CKF_SERIAL_SESSION = 4;
const CKF_OS_LOCKING_OK = 2;
const CKF_USER_PIN_INITIALIZED = 8;
const CKU_SO = 0;
const CKU_USER = 1;

/** OBJECT IDENTIFIER 1.3.101.112, Ed25519 (RFC 8410); some tokens name the curve as PrintableString "edwards25519". */
const ED25519_PARAMS = Buffer.from('06032b6570', 'hex');
const ED25519_NAME = Buffer.from('130c656477617264733235353139', 'hex');
const APPLICATION = 'illuvrse-kernel';
const SIGNATURE_BYTES = 64;

/** RFC 8032, section 7.1, test 2: published key, message and signature, known to everyone. */
const KNOWN_VECTOR = {
  seed: Buffer.from('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', 'hex'),
  message: Buffer.from('72', 'hex'),
  signature: Buffer.from(
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
      '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    'hex',
  ),
};
const LABEL_BYTES = 32;

/** The message is at fault, not the token: the same would happen in every session. */
const MESSAGE_REFUSALS = new Set(['CKR_ARGUMENTS_BAD', 'CKR_DATA_INVALID', 'CKR_DATA_LEN_RANGE']);

/** Wrong PIN, and the consequences of too many of them: a retry makes it worse. */
const PIN_REFUSALS = new Set([
  'CKR_PIN_INCORRECT',
  'CKR_PIN_INVALID',
  'CKR_PIN_LEN_RANGE',
  'CKR_PIN_EXPIRED',
  'CKR_PIN_LOCKED',
]);

export class TokenProcessError extends Error {
  readonly failure: TokenFailure;

  constructor(failure: TokenFailure, options?: ErrorOptions) {
    super(failure.message, options);
    this.failure = failure;
  }
}

/** Reads a PIN from a file that only its owner can read; a newline at its end does not count. */
export function readPin(path: string): string {
  let text: string;
  try {
    const mode = statSync(path).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw new TokenProcessError({
        code: 'misconfigured',
        message: `The PIN file ${path} has mode 0${mode.toString(8)}: others than its owner can reach it. Run: chmod 0600 ${path}`,
      });
    }
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof TokenProcessError) throw error;
    throw new TokenProcessError(
      { code: 'misconfigured', message: `The PIN file ${path} cannot be read: ${(error as Error).message}` },
      { cause: error },
    );
  }
  const pin = text.replace(/\r?\n$/, '');
  if (pin.length === 0) {
    throw new TokenProcessError({ code: 'misconfigured', message: `The PIN file ${path} is empty` });
  }
  return pin;
}

/** The slot of the one token with this label. */
export function findSlot(cryptoki: Cryptoki, tokenLabel: string): Handle {
  const labelled = cryptoki
    .C_GetSlotList(true)
    .filter((slot) => cryptoki.C_GetTokenInfo(slot).label.trimEnd() === tokenLabel);
  if (labelled.length === 1 && labelled[0]) return labelled[0];
  throw new TokenProcessError({
    code: 'misconfigured',
    message:
      labelled.length === 0
        ? `The PKCS#11 module shows no token labelled "${tokenLabel}"`
        : `The PKCS#11 module shows ${labelled.length} tokens labelled "${tokenLabel}"; labels have to be unique`,
  });
}

/** The raw 32 bytes of CKA_EC_POINT, which tokens give raw, as OCTET STRING or as BIT STRING. */
export function rawPublicKey(point: Buffer): Buffer {
  if (point.length === 32) return point;
  if (point.length === 34 && point[0] === 0x04 && point[1] === 0x20) return point.subarray(2);
  if (point.length === 35 && point[0] === 0x03 && point[1] === 0x21 && point[2] === 0)
    return point.subarray(3);
  throw new TokenProcessError({
    code: 'key_refused',
    message: `CKA_EC_POINT has ${point.length} bytes and is no Ed25519 public key in a known form`,
  });
}

/** One logged-in session with a token. One operation at a time; discarded after any error. */
export class TokenSession {
  private session: Handle | null = null;
  /** Once set, no login is tried again: a token locks itself after a few wrong PINs. */
  private refusedPin: TokenProcessError | null = null;
  private readonly privateKeys = new Map<string, Handle>();
  /** Reused for every signature, which is copied out: held here so that the module never writes to freed memory. */
  private readonly signatureBuffer = Buffer.alloc(SIGNATURE_BYTES);

  private readonly cryptoki: Cryptoki;
  private readonly tokenLabel: string;
  private readonly pinOf: () => string;

  constructor(cryptoki: Cryptoki, tokenLabel: string, pinOf: () => string) {
    this.cryptoki = cryptoki;
    this.tokenLabel = tokenLabel;
    this.pinOf = pinOf;
  }

  /** Checks that the token has the key, that it is Ed25519 and that it cannot leave the token. */
  inspect(request: TokenKeyRequest): TokenKey {
    const { kid } = request;
    const refuse = (what: string): never => {
      throw new TokenProcessError({
        code: 'key_refused',
        message: `Key ${kid} in token "${this.tokenLabel}" ${what}`,
      });
    };
    const session = this.opened();
    const privateKey = this.findKey(session, CKO_PRIVATE_KEY, kid);
    const publicKey = this.findKey(session, CKO_PUBLIC_KEY, kid);
    const [keyType, sensitive, extractable, sign, always, never, local] = this.attributes(
      session,
      privateKey,
      [
        CKA_KEY_TYPE,
        CKA_SENSITIVE,
        CKA_EXTRACTABLE,
        CKA_SIGN,
        CKA_ALWAYS_SENSITIVE,
        CKA_NEVER_EXTRACTABLE,
        CKA_LOCAL,
      ],
    );
    // CK_ULONG in the machine's byte order; the value fits its lowest byte on the little-endian machines Node runs on.
    if (keyType?.[0] !== CKK_EC_EDWARDS || keyType.subarray(1).some((byte) => byte !== 0)) {
      refuse('is not an Edwards-curve key');
    }
    if (sensitive?.[0] !== 1) refuse('is not CKA_SENSITIVE: its value could be read in clear');
    if (extractable?.[0] !== 0) refuse('is CKA_EXTRACTABLE: it could be copied out of the token');
    // The current state is not enough: a key that could leave once may have left.
    if (always?.[0] !== 1)
      refuse('was not always sensitive (CKA_ALWAYS_SENSITIVE): its value may have been read');
    if (never?.[0] !== 1) refuse('was extractable before (CKA_NEVER_EXTRACTABLE): a copy of it may exist');
    if (local?.[0] !== 1)
      refuse('was brought into the token and not made there (CKA_LOCAL): a copy of it exists');
    if (sign?.[0] !== 1) refuse('may not sign (CKA_SIGN is false)');
    const [params, point] = this.attributes(session, publicKey, [CKA_EC_PARAMS, CKA_EC_POINT]);
    if (!params || !(params.equals(ED25519_PARAMS) || params.equals(ED25519_NAME)))
      refuse('is not on edwards25519');
    const record = this.provisioningRecord(session, kid);
    const missing = request.purposes.filter((purpose) => record && !record.purposes.includes(purpose));
    if (missing.length > 0) {
      refuse(`was made for ${record?.purposes.join(', ')} and may not be used for ${missing.join(', ')}`);
    }
    return {
      kid,
      publicKey: Uint8Array.from(rawPublicKey(point ?? Buffer.alloc(0))),
      createdAt: record?.createdAt ?? null,
    };
  }

  /** Whether a key of either kind has this label, whoever made it. */
  has(kid: string): boolean {
    const session = this.opened();
    return [CKO_PRIVATE_KEY, CKO_PUBLIC_KEY].some((kind) => labelled(this.cryptoki, session, kind, kid) > 0);
  }

  /** Makes the key pair unless it exists, as provisioning does. Everything else is done in read-only sessions. */
  make(request: TokenKeyRequest, now: string): void {
    this.opened();
    const session = this.cryptoki.C_OpenSession(
      findSlot(this.cryptoki, this.tokenLabel),
      CKF_SERIAL_SESSION | CKF_RW_SESSION,
    );
    try {
      generateKeyPair(this.cryptoki, session, request, now);
    } finally {
      this.cryptoki.C_CloseSession(session);
    }
  }

  /**
   * Makes the token sign the known vector with the known key, before any real key is used.
   * @throws TokenProcessError `key_refused` when the token computes another signature
   */
  examine(): TokenFacts {
    const session = this.opened();
    const { manufacturerID, model } = this.cryptoki.C_GetTokenInfo(findSlot(this.cryptoki, this.tokenLabel));
    const facts = { manufacturer: manufacturerID.trim(), model: model.trim() };
    let signature: Buffer;
    try {
      signature = Buffer.from(this.signKnownVector(session));
    } catch (error) {
      // Many tokens, above all those in FIPS mode, accept no key from outside; every key still has its own test.
      this.discard();
      return { ...facts, knownVector: `not taken (${describe(error)})` };
    }
    if (signature.equals(KNOWN_VECTOR.signature)) return { ...facts, knownVector: 'passed' };
    throw new TokenProcessError({
      code: 'key_refused',
      message:
        `Token "${this.tokenLabel}" computes wrong Ed25519 signatures (RFC 8032, section 7.1, test 2): ` +
        'none of its keys is used; update or replace the token',
    });
  }

  /**
   * Returns the signatures one after the other in one array. An error costs the session; the batch is retried once in a
   * new one.
   */
  sign(kid: string, messages: Uint8Array[]): Uint8Array {
    try {
      return this.signInSession(kid, messages);
    } catch (error) {
      this.discard();
      if (error instanceof TokenProcessError) throw error;
      if (MESSAGE_REFUSALS.has((error as Error).message)) {
        throw new TokenProcessError(
          { code: 'invalid_request', message: `The token does not sign such a message (${describe(error)})` },
          { cause: error },
        );
      }
      try {
        return this.signInSession(kid, messages);
      } catch (again) {
        this.discard();
        throw again;
      }
    }
  }

  discard(): void {
    if (!this.session) return;
    try {
      this.cryptoki.C_CloseSession(this.session);
    } catch {
      // A session that cannot even be closed is already gone, as wanted.
    }
    this.session = null;
    // Handles of private objects die with the login, which ends with the last session.
    this.privateKeys.clear();
  }

  private signInSession(kid: string, messages: Uint8Array[]): Uint8Array {
    const session = this.opened();
    let key = this.privateKeys.get(kid);
    if (!key) {
      key = this.findKey(session, CKO_PRIVATE_KEY, kid);
      this.privateKeys.set(kid, key);
    }
    const signatures = new Uint8Array(SIGNATURE_BYTES * messages.length);
    messages.forEach((message, index) => {
      this.cryptoki.C_SignInit(session, { mechanism: CKM_EDDSA }, key);
      const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
      const signature = this.cryptoki.C_Sign(session, bytes, this.signatureBuffer);
      if (signature.length !== SIGNATURE_BYTES) {
        throw new Error(`the token answered with a signature of ${signature.length} bytes`);
      }
      signatures.set(signature, index * SIGNATURE_BYTES);
    });
    return signatures;
  }

  private signKnownVector(session: Handle): Buffer {
    // A session object: it ends with the session, should the call that destroys it fail.
    const key = this.cryptoki.C_CreateObject(session, [
      { type: CKA_CLASS, value: CKO_PRIVATE_KEY },
      { type: CKA_KEY_TYPE, value: CKK_EC_EDWARDS },
      { type: CKA_TOKEN, value: false },
      { type: CKA_PRIVATE, value: true },
      { type: CKA_SENSITIVE, value: true },
      { type: CKA_EXTRACTABLE, value: false },
      { type: CKA_SIGN, value: true },
      { type: CKA_EC_PARAMS, value: ED25519_PARAMS },
      { type: CKA_VALUE, value: KNOWN_VECTOR.seed },
    ]);
    try {
      this.cryptoki.C_SignInit(session, { mechanism: CKM_EDDSA }, key);
      return this.cryptoki.C_Sign(session, KNOWN_VECTOR.message, this.signatureBuffer);
    } finally {
      this.cryptoki.C_DestroyObject(session, key);
    }
  }

  private opened(): Handle {
    if (this.session) return this.session;
    if (this.refusedPin) throw this.refusedPin;
    const session = this.cryptoki.C_OpenSession(findSlot(this.cryptoki, this.tokenLabel), CKF_SERIAL_SESSION);
    this.session = session;
    try {
      login(this.cryptoki, session, CKU_USER, this.pinOf());
    } catch (error) {
      this.discard();
      if (error instanceof TokenProcessError && error.failure.lockout) this.refusedPin = error;
      throw error;
    }
    return session;
  }

  private findKey(session: Handle, objectClass: number, kid: string): Handle {
    const found = findObjects(this.cryptoki, session, [
      { type: CKA_CLASS, value: objectClass },
      { type: CKA_LABEL, value: kid },
    ]);
    if (found.length === 1 && found[0]) return found[0];
    const which = objectClass === CKO_PRIVATE_KEY ? 'private' : 'public';
    throw new TokenProcessError({
      code: found.length === 0 ? 'unknown_key' : 'key_refused',
      message: `Token "${this.tokenLabel}" holds ${found.length === 0 ? 'no' : found.length} ${which} keys labelled ${kid}`,
    });
  }

  private attributes(session: Handle, object: Handle, types: number[]): Buffer[] {
    return this.cryptoki
      .C_GetAttributeValue(
        session,
        object,
        types.map((type) => ({ type })),
      )
      .map(({ value }) => value);
  }

  /** Record that provisioning wrote beside the key; keys made by other tools have none. */
  private provisioningRecord(session: Handle, kid: string): { createdAt: string; purposes: string[] } | null {
    const [object] = findObjects(this.cryptoki, session, recordTemplate(kid));
    if (!object) return null;
    const [value] = this.attributes(session, object, [CKA_VALUE]);
    return JSON.parse(value?.toString('utf8') ?? '') as { createdAt: string; purposes: string[] };
  }
}

/**
 * Makes a token with this label in the first uninitialised slot and non-extractable Ed25519 key pairs in it.
 * Keeps what already exists, so that it can be run again after an interruption.
 */
export function provision(cryptoki: Cryptoki, request: ProvisionRequest): void {
  const { tokenLabel } = request;
  if (Buffer.byteLength(tokenLabel) > LABEL_BYTES) {
    throw new TokenProcessError({
      code: 'misconfigured',
      message: `A token label has at most ${LABEL_BYTES} bytes: ${tokenLabel}`,
    });
  }
  const pin = readPin(request.pinFile);
  const soPin = readPin(request.soPinFile);
  const exists = cryptoki
    .C_GetSlotList(true)
    .some((slot) => cryptoki.C_GetTokenInfo(slot).label.trimEnd() === tokenLabel);
  if (!exists) {
    const free = cryptoki.C_GetSlotList(true).at(-1);
    if (!free) throw new Error('the module shows no slot for a new token');
    // The label is a fixed field of 32 blank-padded bytes: the module reads all of them, however long the string is.
    const padding = ' '.repeat(LABEL_BYTES - Buffer.byteLength(tokenLabel));
    cryptoki.C_InitToken(free, soPin, tokenLabel + padding);
  }
  const slot = findSlot(cryptoki, tokenLabel);
  const session = cryptoki.C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION);
  try {
    if ((cryptoki.C_GetTokenInfo(slot).flags & CKF_USER_PIN_INITIALIZED) === 0) {
      login(cryptoki, session, CKU_SO, soPin);
      cryptoki.C_InitPIN(session, pin);
      cryptoki.C_Logout(session);
    }
    login(cryptoki, session, CKU_USER, pin);
    for (const key of request.keys) generateKeyPair(cryptoki, session, key, request.now);
  } finally {
    cryptoki.C_CloseSession(session);
  }
}

function generateKeyPair(cryptoki: Cryptoki, session: Handle, key: TokenKeyRequest, now: string): void {
  const { kid } = key;
  // The record comes first: a key without one would be mistaken for another tool's key, without a date and purposes.
  if (findObjects(cryptoki, session, recordTemplate(kid)).length === 0) {
    cryptoki.C_CreateObject(session, [
      ...recordTemplate(kid),
      { type: CKA_TOKEN, value: true },
      { type: CKA_PRIVATE, value: true },
      { type: CKA_MODIFIABLE, value: false },
      { type: CKA_VALUE, value: Buffer.from(JSON.stringify({ createdAt: now, purposes: key.purposes })) },
    ]);
  }
  if (labelled(cryptoki, session, CKO_PRIVATE_KEY, kid) > 0) return;
  const id = Buffer.from(kid, 'utf8');
  cryptoki.C_GenerateKeyPair(
    session,
    { mechanism: CKM_EC_EDWARDS_KEY_PAIR_GEN },
    [
      { type: CKA_TOKEN, value: true },
      { type: CKA_PRIVATE, value: false },
      { type: CKA_VERIFY, value: true },
      { type: CKA_LABEL, value: kid },
      { type: CKA_ID, value: id },
      { type: CKA_EC_PARAMS, value: ED25519_PARAMS },
    ],
    [
      { type: CKA_TOKEN, value: true },
      { type: CKA_PRIVATE, value: true },
      { type: CKA_SIGN, value: true },
      // Both are explicit: tokens differ in what they assume.
      { type: CKA_SENSITIVE, value: true },
      { type: CKA_EXTRACTABLE, value: false },
      { type: CKA_LABEL, value: kid },
      { type: CKA_ID, value: id },
    ],
  );
}

function labelled(cryptoki: Cryptoki, session: Handle, objectClass: number, kid: string): number {
  return findObjects(cryptoki, session, [
    { type: CKA_CLASS, value: objectClass },
    { type: CKA_LABEL, value: kid },
  ]).length;
}

function recordTemplate(kid: string): Template {
  return [
    { type: CKA_CLASS, value: CKO_DATA },
    { type: CKA_APPLICATION, value: APPLICATION },
    { type: CKA_LABEL, value: kid },
  ];
}

function findObjects(cryptoki: Cryptoki, session: Handle, template: Template): Handle[] {
  cryptoki.C_FindObjectsInit(session, template);
  try {
    return cryptoki.C_FindObjects(session, 10);
  } finally {
    cryptoki.C_FindObjectsFinal(session);
  }
}

function login(cryptoki: Cryptoki, session: Handle, user: number, pin: string): void {
  try {
    cryptoki.C_Login(session, user, pin);
  } catch (error) {
    const reason = (error as Error).message;
    if (reason === 'CKR_USER_ALREADY_LOGGED_IN') return;
    if (PIN_REFUSALS.has(reason)) {
      throw new TokenProcessError(
        {
          code: 'misconfigured',
          message: `The token refuses the PIN (${reason}). It is not tried again, since a token locks itself after a few: correct the PIN file and start again`,
          lockout: true,
        },
        { cause: error },
      );
    }
    throw error;
  }
}

async function loadModule(modulePath: string, environment: Record<string, string>): Promise<Cryptoki> {
  // eslint-disable-next-line no-restricted-properties -- not configuration: PKCS#11 modules read their own from the environment of this process, which exists for them alone
  Object.assign(process.env, environment);
  let pkcs11js: typeof import('pkcs11js');
  try {
    // As a CommonJS package it comes as the default export, under Node's own loader and under the compiler's.
    const loaded = (await import('pkcs11js')) as unknown as { default: typeof import('pkcs11js') };
    pkcs11js = loaded.default;
  } catch (error) {
    throw new TokenProcessError(
      {
        code: 'misconfigured',
        message:
          'The pkcs11 signer needs the optional package pkcs11js, which is not installed or was not compiled here: ' +
          'install python3, make and a C++ compiler, then run npm ci again',
      },
      { cause: error },
    );
  }
  const cryptoki = new pkcs11js.PKCS11();
  try {
    cryptoki.load(modulePath);
  } catch (error) {
    throw new TokenProcessError(
      {
        code: 'misconfigured',
        message: `The PKCS#11 module ${modulePath} cannot be loaded: ${(error as Error).message}`,
      },
      { cause: error },
    );
  }
  try {
    cryptoki.C_Initialize({ flags: CKF_OS_LOCKING_OK });
  } catch (error) {
    throw new TokenProcessError(
      {
        code: 'misconfigured',
        message: `The PKCS#11 module ${modulePath} does not initialise (${describe(error)}): check the configuration it reads from its environment (SoftHSM: SOFTHSM2_CONF)`,
      },
      { cause: error },
    );
  }
  return cryptoki;
}

/** pkcs11js gives the CKR_ name as the message and the call that failed as `method`. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { method } = error as Error & { method?: string };
  return method ? `${method}: ${error.message}` : error.message;
}

function failureOf(error: unknown): TokenFailure {
  if (error instanceof TokenProcessError) return error.failure;
  return { code: 'token_error', message: describe(error) };
}

/** Serves requests one after the other, in order of arrival. */
function serve(channel: NodeJS.Process): void {
  let session: TokenSession | null = null;
  const opened = (): TokenSession => {
    if (!session) throw new Error('the token was not opened');
    return session;
  };

  const answer = async (
    request: TokenRequest,
  ): Promise<Omit<Extract<TokenReply, { ok: true }>, 'id' | 'ok'>> => {
    switch (request.op) {
      case 'open': {
        const cryptoki = await loadModule(request.modulePath, request.environment);
        const token = new TokenSession(cryptoki, request.tokenLabel, () => readPin(request.pinFile));
        session = token;
        return { token: token.examine(), keys: request.keys.map((key) => token.inspect(key)) };
      }
      case 'provision':
        provision(await loadModule(request.modulePath, request.environment), request);
        return {};
      case 'sign':
        return { signatures: opened().sign(request.kid, request.messages) };
      case 'has':
        return { taken: opened().has(request.kid) };
      case 'make':
        opened().make(request.key, request.now);
        return { keys: [opened().inspect(request.key)] };
      case 'take':
        return { keys: [opened().inspect(request.key)] };
    }
  };

  let turn = Promise.resolve();
  channel.on('message', ({ id, request }: { id: number; request: TokenRequest }) => {
    turn = turn.then(async () => {
      let reply: TokenReply;
      try {
        reply = { id, ok: true, ...(await answer(request)) };
      } catch (error) {
        reply = { id, ok: false, failure: failureOf(error) };
      }
      // A parent that has ended needs no answer; 'disconnect' ends this process.
      channel.send?.(reply, () => undefined);
    });
  });
  // It lives as long as its parent wants: a Ctrl-C in the terminal reaches both, and the parent still drains.
  channel.on('disconnect', () => {
    session?.discard();
    channel.exit(0);
  });
  channel.on('SIGINT', () => undefined);
  channel.on('SIGTERM', () => undefined);
}

if (process.argv[2] === TOKEN_PROCESS_ROLE) serve(process);
