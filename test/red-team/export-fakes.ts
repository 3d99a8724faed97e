import { type AuditEvent, canonicalEventBytes, hashEvent } from '#evidence';
import { type Fake, fakesOf, type Table } from './fake';
import { KernelWithEvidence } from './kernel-with-evidence';

const kernel = new KernelWithEvidence();
const genuine = kernel.chain.bytes;
const heads = { expectHeads: kernel.chain.heads() };

/** The events with one of them edited. @param rehash whether its hash is computed anew */
function edited(seq: number, change: Partial<AuditEvent>, rehash = false): Uint8Array[] {
  const event = { ...(kernel.chain.events[seq - 1] as AuditEvent), ...change };
  if (rehash) event.hash = hashEvent(event);
  return genuine.map((bytes, i) => (i === seq - 1 ? canonicalEventBytes(event) : bytes));
}

const LIE = { payload: { lie: true } };

/** What is given to an auditor from a database that its owner has edited: no key was needed, and none was there. */
const OWNER_ROLE: Table = [
  ['an export without one of the events', 'gap', () => kernel.chainFaults(genuine.filter((_, i) => i !== 9))],
  ['an export without its beginning', 'gap', () => kernel.chainFaults(genuine.slice(4))],
  ['an export without its end', 'truncation', () => kernel.chainFaults(genuine.slice(0, 20), heads)],
  ['no events', 'truncation', () => kernel.chainFaults([], heads)],
  ['another content of an event', 'hash', () => kernel.chainFaults(edited(10, LIE))],
  [
    'another content of an event, with its hash',
    'signature',
    () => kernel.chainFaults(edited(10, LIE, true)),
  ],
  [
    'another content of the last event, with its hash',
    'signature',
    () => kernel.chainFaults(edited(24, LIE, true)),
  ],
  [
    'another time of an event',
    'hash',
    () => kernel.chainFaults(edited(10, { ts: '2020-01-01T00:00:00.000Z' })),
  ],
  [
    'another key under an event',
    'unknown_key',
    () => kernel.chainFaults(edited(10, { signerKid: 'thief' }, true)),
  ],
  ['an event twice', 'duplicate', () => kernel.chainFaults([...genuine.slice(0, 10), ...genuine.slice(9)])],
  [
    'two events in the place of each other',
    'order',
    () =>
      kernel.chainFaults([...genuine.slice(0, 9), ...genuine.slice(9, 11).reverse(), ...genuine.slice(11)]),
  ],
  ['text that is no event', 'format', () => kernel.chainFaults([...genuine, Buffer.from('{"id":Xa}')])],
];

/** Evidence without a key. */
export const EXPORT_FAKES: Fake[] = fakesOf('owner-role', OWNER_ROLE);
