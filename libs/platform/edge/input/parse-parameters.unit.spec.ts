import { join } from 'node:path';
import fc from 'fast-check';
import { loadContract } from '../contract/load-contract';
import { HttpEdgeError } from '../http-edge.error';
import { checkHeaders, decodePath, parsePath, parseQuery } from './parse-parameters';

const contract = loadContract(join(__dirname, '../../../../openapi/kernel.yaml'));
const list = contract.operation('listEvents');
const key = contract.operation('getKey');
const sign = contract.operation('signManifest');

/** For any input: a result, or a refusal that names the parameter. Never another error. */
function refusalOf(act: () => unknown): HttpEdgeError | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof HttpEdgeError && error.code === 'invalid_request') return error;
    throw error;
  }
}

describe('parameters', () => {
  it('of any text are parsed or refused, and never change what objects inherit', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('limit', '=', '&', '%', '%ff', '__proto__', 'constructor', '[]', '1', 'from', '+'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const refusal = refusalOf(() => {
          const parsed = parseQuery(list, pieces.join(''));
          expect(Object.keys(parsed).every((name) => list.queryParameters.has(name))).toBe(true);
          expect(parsed['limit']).toEqual(expect.any(Number));
        });
        if (refusal !== undefined) expect(typeof refusal.details['parameter']).toBe('string');
        expect(Object.hasOwn(Object.prototype, 'limit')).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('in paths survive encoding, or are refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (text) => {
        if (!text.isWellFormed()) return;
        const [decoded] = decodePath(key, [encodeURIComponent(text)]);
        expect(decoded).toBe(text);
        const refusal = refusalOf(() => parsePath(key, [text]));
        expect(refusal === undefined).toBe(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/.test(text));
      }),
    );
  });

  it('in headers are checked, but a request id never refuses a request', () => {
    const headersOf = (name: string, value: string) => refusalOf(() => checkHeaders(sign, { [name]: value }));
    expect(headersOf('x-request-id', '{ any thing }')).toBeUndefined();
    expect(headersOf('idempotency-key', 'a-1')).toBeUndefined();
    expect(headersOf('idempotency-key', 'a, b')?.details['parameter']).toBe('idempotency-key');
    const minPosition = (value: string) =>
      refusalOf(() => checkHeaders(list, { 'kernel-min-position': value }));
    expect(minPosition('0:17')).toBeUndefined();
    for (const wrong of ['17', '0:-1', '0:01', '0:1.5', ' 0:1', '0:1 ', '0:99999999999999999']) {
      expect([wrong, minPosition(wrong)?.message]).toEqual([wrong, expect.stringContaining('<shard>:<seq>')]);
    }
  });

  it('of time need an offset', () => {
    expect(parseQuery(list, 'from=2026-01-31T10:00:00Z&to=2026-01-31T10:00:00.123%2B01:00')).toEqual({
      from: '2026-01-31T10:00:00Z',
      to: '2026-01-31T10:00:00.123+01:00',
      limit: 100,
      order: 'oldest',
    });
    for (const wrong of ['2026-01-31', '2026-01-31T10:00:00', '2026-02-30T10:00:00Z', 'yesterday']) {
      expect(refusalOf(() => parseQuery(list, `from=${wrong}`))?.message).toContain('RFC 3339');
    }
  });
});

it('finding a route never fails, whatever is asked for', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (method, path) => {
      const match = contract.match(method, `/kernel/${path}`);
      if (match !== undefined && 'operation' in match) expect(contract.operations).toContain(match.operation);
    }),
  );
});
