import { sha256Base64 } from '#evidence-crypto';
import { base64Decode, base64DecodeInto } from '../json/base64';
import { hexDecodeInto, hexEncode } from '../json/hex';

/**
 * The events that were signed together (docs/spec/audit-event.md, section 4): positions `first` to `first + count - 1`
 * of a shard. Their hashes are the leaves of a Merkle tree (RFC 9162 section 2.1.1) whose root the audit key signs.
 */
export interface EventGroup {
  first: number;
  /** 1 to MAX_GROUP_EVENTS. */
  count: number;
  /** Base64 of the audit path, from the leaf's sibling up (RFC 9162 section 2.1.3.1). */
  path: string[];
}

/** An event's place in its group and its own hash. */
export interface GroupedEvent {
  seq: number;
  /** Hex. */
  hash: string;
  group: EventGroup;
}

export const MAX_GROUP_EVENTS = 1_024;
/** Length of a path in a group of MAX_GROUP_EVENTS. */
const MAX_GROUP_PATH = 10;
/** Characters of a group as a member of an event, at most. */
export const MAX_GROUP_LENGTH =
  '"group":{"count":1024,"first":9007199254740991,"path":[]},'.length +
  MAX_GROUP_PATH * (44 + '"",'.length) -
  1;

/** 32 bytes in base64: 42 characters, one that carries four bits, and the padding. */
const HASH = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

function isGroupHash(text: unknown): text is string {
  return typeof text === 'string' && HASH.test(text);
}

/** Whether a value is a group that has an event at that position, with a path as long as it has to be there. */
export function isEventGroup(value: unknown, seq: number): value is EventGroup {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { first, count, path, ...others } = value as Record<string, unknown>;
  if (Object.keys(others).length > 0) return false;
  if (typeof first !== 'number' || typeof count !== 'number' || !isRange(first, count)) return false;
  if (!Array.isArray(path) || seq < first || seq >= first + count) return false;
  return path.length === pathLength(seq - first, count) && path.every(isGroupHash);
}

/** Whether a group may begin there and have that many events. */
export function isRange(first: number, count: number): boolean {
  if (!Number.isInteger(count) || count < 1 || count > MAX_GROUP_EVENTS) return false;
  // Not by their sum, which a double may round.
  return Number.isInteger(first) && first >= 1 && first <= Number.MAX_SAFE_INTEGER - (count - 1);
}

/** Hashes in the audit path of a leaf. */
export function pathLength(index: number, count: number): number {
  let length = 0;
  for (let [node, last] = [index, count - 1]; last > 0; node >>= 1, last >>= 1) {
    // The last node of a level goes up as it is when it has no sibling.
    if (node % 2 === 1 || node !== last) length++;
  }
  return length;
}

/**
 * Hex root of a group, and the path of each of its events in order.
 * @param hashes hex, 1 to MAX_GROUP_EVENTS
 */
export function groupTree(hashes: readonly string[]): { root: string; paths: string[][] } {
  if (!isRange(1, hashes.length)) throw new RangeError(`a group has 1 to ${MAX_GROUP_EVENTS} events`);
  const paths: string[][] = hashes.map(() => []);
  let level = hashes.map(groupLeaf);
  for (let height = 0; level.length > 1; height++) {
    for (const [index, path] of paths.entries()) {
      const sibling = level[(index >> height) ^ 1];
      if (sibling !== undefined) path.push(sibling);
    }
    const above: string[] = [];
    for (let n = 0; n < level.length; n += 2) {
      const [left, right] = [level[n], level[n + 1]];
      if (left !== undefined) above.push(right === undefined ? left : groupNode(left, right));
    }
    level = above;
  }
  return { root: hexOfBase64(level[0] ?? ''), paths };
}

/** Hex root that an event's own hash and path lead to; the group passed `isEventGroup`. */
export function groupRoot(event: GroupedEvent): string {
  return new GroupNodes(event.group.count).climb(event).root;
}

/** What an event's own hash and path lead to. */
export interface Climb {
  /** Hex. */
  root: string;
  /** The nodes on the way, the path included; base64. */
  nodes: { level: number; index: number; value: string }[];
}

/** The nodes of one group's tree that are known, so that its next event need not hash all of its path. */
export class GroupNodes {
  /** By level, by index: base64. */
  private readonly known: (string | undefined)[][] = [];
  private root = '';

  constructor(private readonly count: number) {}

  /** Ends where it comes to a node that is known, if all of the path above is known too. */
  climb({ seq, hash, group: { first, path } }: GroupedEvent): Climb {
    const nodes: Climb['nodes'] = [];
    let value = groupLeaf(hash);
    let step = 0;
    let level = 0;
    let index = seq - first;
    for (let last = this.count - 1; last > 0; last >>= 1, index >>= 1, level++) {
      if (this.known[level]?.[index] === value && this.knowsPath(path, { step, level, index, last })) {
        return { root: this.root, nodes };
      }
      nodes.push({ level, index, value });
      // The last node of a level goes up as it is when it has no sibling.
      if (index % 2 === 0 && index === last) continue;
      const sibling = path[step++] ?? '';
      nodes.push({ level, index: index ^ 1, value: sibling });
      value = index % 2 === 1 ? groupNode(sibling, value) : groupNode(value, sibling);
    }
    return { root: hexOfBase64(value), nodes };
  }

  /** Takes over what led to the root that is right. */
  learn({ root, nodes }: Climb): void {
    this.root = root;
    for (const { level, index, value } of nodes) (this.known[level] ??= [])[index] = value;
  }

  private knowsPath(
    path: readonly string[],
    from: { step: number; level: number; index: number; last: number },
  ): boolean {
    let { step, level } = from;
    for (let { index, last } = from; last > 0; last >>= 1, index >>= 1, level++) {
      if (index % 2 === 0 && index === last) continue;
      if (this.known[level]?.[index ^ 1] !== path[step++]) return false;
    }
    return true;
  }
}

const leafInput = new Uint8Array(33);
const leafData = leafInput.subarray(1);
const nodeInput = new Uint8Array(65).fill(1, 0, 1);
const nodeLeft = nodeInput.subarray(1, 33);
const nodeRight = nodeInput.subarray(33);

/** The leaf of an event: SHA-256(0x00 || hash). @param hash hex */
function groupLeaf(hash: string): string {
  hexDecodeInto(hash, leafData);
  return sha256Base64(leafInput);
}

/** SHA-256(0x01 || left || right) */
function groupNode(left: string, right: string): string {
  base64DecodeInto(left, nodeLeft);
  base64DecodeInto(right, nodeRight);
  return sha256Base64(nodeInput);
}

function hexOfBase64(text: string): string {
  return hexEncode(base64Decode(text) ?? new Uint8Array());
}
