import { type AuditEvent } from './audit-event';
import { auditGroupInput } from './audit-signing-input';
import { GroupNodes } from './event-group';
import { base64Decode } from '../json/base64';

/** A signature to verify, for all events of a group. */
export interface SignatureCheck {
  kid: string;
  input: Uint8Array<ArrayBuffer>;
  signature: Uint8Array<ArrayBuffer>;
}

/** Events that say the same of their group, and whose paths lead to one root. */
interface SameGroup {
  root: string;
  nodes: GroupNodes;
  /** Which check. */
  number: number;
}

/**
 * The signatures of some events, each once: those of a group have one in common. Nodes that lead to a root do so whether
 * or not its signature turns out to be right, so paths are not hashed again where they are the same.
 * @param events their format is right
 * @returns the checks, and for each event which of them it depends on
 */
export function distinctSignatures(
  origin: string,
  events: readonly AuditEvent[],
): { checks: SignatureCheck[]; checkOf: number[] } {
  const checks: SignatureCheck[] = [];
  const groups = new Map<string, SameGroup[]>();
  const checkOf = events.map((event) => {
    const { shard, signerKid: kid, signature } = event;
    const { first, count } = event.group;
    const name = `${kid} ${signature} ${shard} ${first} ${count}`;
    const same = groups.get(name) ?? [];
    groups.set(name, same);
    const climb = (same[0]?.nodes ?? new GroupNodes(count)).climb(event);
    const known = same.find(({ root }) => root === climb.root);
    if (known !== undefined) {
      // The nodes of a second root are not kept: one of the two is forged.
      if (known === same[0]) known.nodes.learn(climb);
      return known.number;
    }
    const nodes = new GroupNodes(count);
    nodes.learn(climb);
    const number = checks.length;
    same.push({ root: climb.root, nodes, number });
    const input = auditGroupInput({ origin, shard, first, count, root: climb.root });
    checks.push({ kid, input, signature: base64Decode(signature) ?? new Uint8Array() });
    return number;
  });
  return { checks, checkOf };
}
