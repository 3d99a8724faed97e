import { ArchiveError, type ArchiveErrorCode } from '../archive.error';

/**
 * Failure of an S3 server or of the connection to it, and nothing else: the SDK's own errors carry access keys,
 * canonical requests with session tokens, and sockets, none of which may end in a log. It is the `cause` of the
 * archive's error.
 */
export class S3Failure extends Error {
  constructor(
    /** S3's code, e.g. `SlowDown`, or that of the system or SDK, e.g. `ECONNRESET`. */
    override readonly name: string,
    message: string,
    /** HTTP status, undefined when there was no answer. */
    readonly status: number | undefined,
    /** For the server's operator. */
    readonly requestId: string | undefined,
    /** Worth another attempt. */
    readonly passing: boolean,
    /** Wait that the server asked for. */
    readonly retryAfterMs: number | undefined,
  ) {
    super(message);
  }
}

/** An attempt that timed out. */
export class AttemptTimeout extends Error {
  override readonly name = 'AttemptTimeout';
}

/** An answer to a request that did not go through the SDK, in the form in which the SDK throws such answers. */
export class S3Refusal extends Error {
  readonly $metadata: { httpStatusCode: number; requestId?: string };
  readonly $response: { headers: Record<string, string> };

  constructor(
    /** S3's code. */
    override readonly name: string,
    message: string,
    { status, requestId, headers }: { status: number; requestId?: string; headers: Record<string, string> },
  ) {
    super(message);
    this.$metadata = { httpStatusCode: status, ...(requestId === undefined ? {} : { requestId }) };
    this.$response = { headers };
  }
}

interface SdkError {
  name?: unknown;
  message?: unknown;
  code?: unknown;
  Code?: unknown;
  $metadata?: { httpStatusCode?: number; requestId?: string };
  $response?: { headers?: Record<string, string> };
}

/** S3 error codes that go away by themselves, whatever their status (S3 API reference, "Error responses"). */
const PASSING = new Set([
  'SlowDown',
  'ServiceUnavailable',
  'InternalError',
  'RequestTimeout',
  // The server's answer corrects the clock, so the next attempt has the right date.
  'RequestTimeTooSkewed',
  'ThrottlingException',
  'Throttling',
  'TooManyRequests',
  'OperationAborted',
  // Another upload of the same key was running: the next attempt finds its object.
  'ConditionalRequestConflict',
  // Damaged on the way: the bytes here have been checked.
  'BadDigest',
  'XAmzContentSHA256Mismatch',
  'ExpiredToken',
  // The platform's credential service did not answer.
  'CredentialsProviderError',
]);
/** Credentials that the server does not accept; it says so with status 400 as well as 403. */
const NOT_ACCEPTED = new Set([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'InvalidToken',
  'InvalidSecurity',
  'ExpiredToken',
  'TokenRefreshRequired',
  'AuthorizationHeaderMalformed',
]);
/** Error code of the system, where the SDK keeps only the text of its error. */
const ERRNO = /\b(E(?:CONN|HOST|NET|TIMEDOUT|PIPE|AI_|ADDR)[A-Z_]*)\b/;
const WRAPPED = /^AWS SDK error wrapper for (?:[A-Za-z]*Error: )?/;
const ACCESS_KEY_ID = /\b(AKIA|ASIA)[0-9A-Z]{16}\b/g;

/** @param secrets texts that must not appear, wherever they come from */
export function s3Failure(error: unknown, secrets: readonly string[]): S3Failure {
  if (error instanceof S3Failure) return error;
  const { name, message, code, Code, $metadata, $response } = error as SdkError;
  const status = $metadata?.httpStatusCode;
  const text = typeof message === 'string' ? message.replace(WRAPPED, '') : '';
  const errno = typeof code === 'string' ? code : status === undefined ? ERRNO.exec(text)?.[1] : undefined;
  const label =
    [Code, errno, name].find((found): found is string => typeof found === 'string' && found !== 'Error') ??
    'NoAnswer';
  const said = text === '' ? label : text;
  return new S3Failure(
    label,
    withoutSecrets(said, secrets),
    status,
    $metadata?.requestId,
    isPassing(error, label, status),
    retryAfterMs($response?.headers?.['retry-after']),
  );
}

/** Whether the server does not know the access key, or another secret of it. */
export function isNotAccepted({ name }: S3Failure): boolean {
  return NOT_ACCEPTED.has(name);
}

function isPassing(error: unknown, label: string, status: number | undefined): boolean {
  if (PASSING.has(label)) return true;
  if (isChecksumMismatch(error)) return true;
  // No answer, or one that broke off: the connection failed. Mistakes in the program look different.
  if (status === undefined || status < 300) return !(error instanceof TypeError);
  if (status === 501) return false;
  return status >= 500 || status === 429 || status === 408;
}

/** The SDK says this in words only (@aws-sdk checksum validation of an answer's body). */
export function isChecksumMismatch(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Checksum mismatch');
}

/** RFC 9110 section 10.2.3; only the form in seconds, which is what stores send. */
function retryAfterMs(header: string | undefined): number | undefined {
  return header !== undefined && /^[0-9]{1,4}$/.test(header) ? Number(header) * 1_000 : undefined;
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  let clean = text.replace(ACCESS_KEY_ID, '(access key)');
  for (const secret of secrets) {
    if (secret !== '') clean = clean.replaceAll(secret, '(credential)');
  }
  return clean;
}

export interface FailedOperation {
  /** Completes "Could not ...". */
  doing: string;
  bucket: string;
  key?: string;
  attempts: number;
}

/** The archive's error for a failure that was final. */
export function archiveErrorOf(failure: S3Failure, operation: FailedOperation): ArchiveError {
  const [code, advice] = verdict(failure);
  const { doing, bucket, key, attempts } = operation;
  const tries = attempts > 1 ? ` in ${attempts} attempts` : '';
  return new ArchiveError(
    code,
    `Could not ${doing} in bucket ${bucket}${tries}: ${failure.message.replace(/\.$/, '')} (${failure.name}). ${advice}`,
    {
      bucket,
      ...(key === undefined ? {} : { key }),
      s3: failure.name,
      status: failure.status ?? null,
      requestId: failure.requestId ?? null,
      attempts,
    },
    { cause: failure },
  );
}

function verdict(failure: S3Failure): [ArchiveErrorCode, string] {
  const { name, status, message } = failure;
  if (name === 'NoSuchBucket')
    return ['bucket_missing', 'Make the bucket with object lock, or name another one.'];
  if (name === 'NoSuchKey' || name === 'NotFound')
    return ['object_missing', 'There is no such object in the archive.'];
  if (isChecksumMismatch(failure) || name === 'BadDigest' || name === 'XAmzContentSHA256Mismatch') {
    return [
      'corrupt_object',
      'The bytes are not those of the checksum: look for damage on the way and on the server.',
    ];
  }
  if (name === 'ObjectLockConfigurationNotFoundError' || /object\s*lock\s*configuration/i.test(message)) {
    return ['not_protected', 'Make a bucket with object lock; it cannot be left out for audit events.'];
  }
  if (name === 'CredentialsProviderError') {
    return [
      'access_denied',
      'Give the archive credentials: in its configuration, or by the platform that it runs on.',
    ];
  }
  if (status === 401 || status === 403 || NOT_ACCEPTED.has(name)) {
    return ['access_denied', 'See which right the credentials lack, or whether they are still valid.'];
  }
  if (status === 501 || status === 405 || name === 'NotImplemented') {
    return [
      'unsupported',
      'The archive needs conditional writes, SHA-256 checksums, versioning and object lock.',
    ];
  }
  if (failure.passing) return ['unavailable', 'It is safe to do it again.'];
  return ['unavailable', 'The store refuses this request; repeating it is safe but may not help.'];
}
