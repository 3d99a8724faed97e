import { sha256Hex } from '#evidence-crypto';
import { EvidenceError } from '../evidence.error';

/**
 * Printable ASCII without spaces, at most 255 characters, and no plus sign: the origin is part of line-based signing
 * inputs and later names the log in a C2SP checkpoint, whose key names exclude both.
 */
const ORIGIN = /^[\x21-\x2a\x2c-\x7e]{1,255}$/;

export function isOrigin(text: unknown): text is string {
  return typeof text === 'string' && ORIGIN.test(text);
}

export function assertOrigin(origin: string): void {
  if (!isOrigin(origin)) {
    throw new EvidenceError(
      'invalid_origin',
      'The origin must be 1 to 255 printable ASCII characters without spaces or "+", such as kernel.example.com/prod.',
    );
  }
}

/** `prevHash` of position 1 of a shard: binds the chain to this deployment and shard. */
export function genesisHash(origin: string, shard: number): string {
  assertOrigin(origin);
  if (!Number.isSafeInteger(shard) || shard < 0) {
    throw new EvidenceError('invalid_event', 'A shard is an integer from 0.', { pointer: '/shard' });
  }
  return sha256Hex(`illuvrse-kernel/genesis/v1\n${origin}\n${shard}\n`);
}
