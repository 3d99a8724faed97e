import { SignerError } from '../signer.error';

/** Known facts of a failed call: the SDK's own errors carry requests with credentials, so they are not passed on. */
export interface KmsFailure {
  /** KMS's word for it, e.g. `ThrottlingException`, or the system's, e.g. `ECONNRESET`. */
  name: string;
  /** For a sentence. */
  text: string;
  /** Another attempt may succeed. */
  passing: boolean;
}

interface SdkError {
  name?: unknown;
  message?: unknown;
  code?: unknown;
  $metadata?: { httpStatusCode?: number };
}

/** Errors that go away by themselves (AWS KMS API reference, "Common errors" and Sign). */
const PASSING = new Set([
  'ThrottlingException',
  'LimitExceededException',
  'KMSInternalException',
  'DependencyTimeoutException',
  'KeyUnavailableException',
  'ServiceUnavailableException',
  'InternalFailure',
  'RequestExpired',
  // The SDK takes new ones for the next attempt.
  'ExpiredTokenException',
]);
/** Errors whose texts may quote the request, and with it a session token. */
const QUOTING = new Set([
  'InvalidSignatureException',
  'IncompleteSignatureException',
  'SignatureDoesNotMatch',
]);
const LONGEST_TEXT = 300;

/** The SDK wraps what it does not recognise as an Error in one, with only the original's words. */
const WRAPPED = /^AWS SDK error wrapper for (\w+): ([^]*)$/;

export function kmsFailure(error: unknown): KmsFailure {
  const { $metadata, code, ...said } = unwrapped(error ?? {});
  const status = $metadata?.httpStatusCode;
  // Without an answer the system's code says more than "Error" or "AggregateError".
  const word = status === undefined && typeof code === 'string' ? code : said.name;
  const text = said.message !== '' && !QUOTING.has(word) ? said.message : undefined;
  return {
    name: word,
    text: text === undefined ? word : `${word}: ${text.slice(0, LONGEST_TEXT)}`,
    passing: PASSING.has(word) || isOfTheWay(word, code, status),
  };
}

function unwrapped({ name, message, ...rest }: SdkError): Omit<SdkError, 'name' | 'message'> & {
  name: string;
  message: string;
} {
  const text = typeof message === 'string' ? message : '';
  const [, inner, innerText] = WRAPPED.exec(text) ?? [];
  return {
    ...rest,
    name: inner ?? (typeof name === 'string' ? name : 'Error'),
    message: innerText ?? text,
  };
}

/** Whether no answer came, or not from KMS itself. */
function isOfTheWay(name: string, code: unknown, status: number | undefined): boolean {
  if (status !== undefined) return status >= 500 || status === 429;
  return name === 'TimeoutError' || (typeof code === 'string' && /^E[A-Z]/.test(code));
}

/** Error for a failure while the backend is opened: most failures stay until someone changes something. */
export function openingError(kid: string, keyId: string, failure: KmsFailure): SignerError {
  const details = { kid, keyId, error: failure.name };
  switch (failure.name) {
    case 'NotFoundException':
    case 'InvalidArnException':
      return new SignerError(
        'unknown_key',
        `AWS KMS has no key ${keyId} for ${kid} in this account and region (${failure.text}): ` +
          'make the key and its alias, or name another keyId in KERNEL_SIGNING_KEYS',
        details,
      );
    case 'AccessDeniedException':
      return new SignerError(
        'misconfigured',
        `AWS KMS denies access to ${keyId} for ${kid}: allow kms:DescribeKey, kms:GetPublicKey and kms:Sign (${failure.text})`,
        details,
      );
    case 'CredentialsProviderError':
    case 'UnrecognizedClientException':
    case 'InvalidClientTokenId':
    case 'InvalidSignatureException':
    case 'MissingAuthenticationTokenException':
      return new SignerError(
        'misconfigured',
        `AWS KMS takes no credentials from here (${failure.text}): give the process a role, or the AWS_ variables`,
        details,
      );
    default:
      return new SignerError(
        'signing_unavailable',
        `AWS KMS did not tell of key ${keyId} for ${kid}: ${failure.text}`,
        details,
      );
  }
}

/** Error for a failure while something is signed: nothing was signed, and the remedy is elsewhere. */
export function signingError(kid: string, failure: KmsFailure): SignerError {
  const details = { kid, error: failure.name };
  return failure.name === 'ValidationException'
    ? new SignerError(
        'invalid_request',
        `AWS KMS does not sign such a message with ${kid} (${failure.text})`,
        details,
      )
    : new SignerError('signing_unavailable', `AWS KMS did not sign with ${kid}: ${failure.text}`, details);
}
