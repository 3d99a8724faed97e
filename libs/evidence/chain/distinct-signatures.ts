import { type AuditEvent } from './audit-event';
import { inputOfEvent } from './audit-signing-input';
import { base64Decode } from '../json/base64';

/** A signature to verify, for all events of a group. */
export interface SignatureCheck {
  kid: string;
  input: Uint8Array<ArrayBuffer>;
  signature: Uint8Array<ArrayBuffer>;
}

/**
 * The signatures of some events, each once: those of a group have one in common.
 * @param events their format is right
 * @returns the checks, and for each event which of them it depends on
 */
export function distinctSignatures(
  origin: string,
  events: readonly AuditEvent[],
): { checks: SignatureCheck[]; checkOf: number[] } {
  const checks: SignatureCheck[] = [];
  const numbers = new Map<string, number>();
  const decoder = new TextDecoder('latin1');
  const checkOf = events.map((event) => {
    const input = inputOfEvent(origin, event);
    const name = `${event.signerKid} ${event.signature} ${decoder.decode(input)}`;
    let number = numbers.get(name);
    if (number === undefined) {
      number = checks.length;
      numbers.set(name, number);
      checks.push({
        kid: event.signerKid,
        input,
        signature: base64Decode(event.signature) ?? new Uint8Array(),
      });
    }
    return number;
  });
  return { checks, checkOf };
}
