import { readBefore } from './before';
import { filterQuery, readFilters, sought } from './filters';

describe('the filters of an address', () => {
  it('are those of the API, and nothing else', () => {
    expect(readFilters({ type: ' invoice.paid ', stream: '', nonsense: 'x', cursor: 'c', from: 7 })).toEqual({
      type: 'invoice.paid',
      cursor: 'c',
    });
  });

  it('have an order, newest first where nothing is said', () => {
    expect(readFilters({ type: 'a.b', order: 'oldest' })).toEqual({ type: 'a.b', order: 'oldest' });
    for (const order of ['newest', 'desc', '', 7])
      expect(readFilters({ type: 'a.b', order })).toEqual({ type: 'a.b' });
  });

  it('are parameters of the API', () => {
    expect(filterQuery({ actor: 'spiffe://a/b&c', order: 'oldest', cursor: 'c' })).toBe(
      'actor=spiffe%3A%2F%2Fa%2Fb%26c',
    );
  });
});

describe('what somebody looks for', () => {
  const ID = '0198c0de-7a3b-7c4d-8e5f-0123456789ab';
  it.each([
    [` ${ID.toUpperCase()} `, { kind: 'id', id: ID }],
    ['0:17', { kind: 'position', shard: 0, seq: 17 }],
    ['AB'.repeat(32), { kind: 'filter', filters: { sha256: 'ab'.repeat(32) } }],
    ['invoice/2026-17', { kind: 'filter', filters: { stream: 'invoice/2026-17' } }],
    ['invoice/', { kind: 'filter', filters: { subject: 'invoice/' } }],
    ['invoice.paid', { kind: 'filter', filters: { type: 'invoice.paid' } }],
    ['invoice.paid.v2', { kind: 'filter', filters: { type: 'invoice.paid.v2' } }],
    ['spiffe://kernel/dev', { kind: 'filter', filters: { actor: 'spiffe://kernel/dev' } }],
    ['https://idp/#alice', { kind: 'filter', filters: { actor: 'https://idp/#alice' } }],
    ['  ', null],
  ])('%j is read as %j', (text, read) => {
    expect(sought(text)).toEqual(read);
  });
});

it('knows the keys of the kernel, whatever they are called', () => {
  const kids = new Set(['audit-2026-1', 'kernel.audit']);
  for (const kid of kids)
    expect(sought(` ${kid} `, kids)).toEqual({ kind: 'filter', filters: { signerKid: kid } });
  expect(sought('audit-2026-2', kids)).toEqual({ kind: 'filter', filters: { actor: 'audit-2026-2' } });
});

it('reads the place before which events are shown', () => {
  expect(readBefore('0:1204,1:88')).toEqual(
    new Map([
      [0, 1204],
      [1, 88],
    ]),
  );
  for (const text of [undefined, '', '0', '0:', '0:1,', 'a:1', '0:1 ', '-1:4'])
    expect(readBefore(text)).toBeNull();
});
