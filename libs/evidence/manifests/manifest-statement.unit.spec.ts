import { type JsonValue } from '../json/json-value';
import { base64Decode, base64DecodeInto, base64Encode } from '../json/base64';
import { canonicalize } from '../json/canonical-json';
import { dssePae, MANIFEST_PAYLOAD_TYPE, parseDssePae } from './dsse';
import { EvidenceError } from '../evidence.error';
import { manifestStatement, parseManifestSigningInput, type ManifestStatement } from './manifest-statement';
import fc from 'fast-check';

const statement: ManifestStatement = {
  manifestId: 'agent-7',
  version: 3,
  kind: null,
  division: null,
  origin: 'kernel.example.com/prod',
  signedAt: '2026-01-31T10:00:00.000Z',
  requestedBy: 'CN=test',
  auditSeqAfter: '0:0',
  sha256: '0'.repeat(64),
};

function code(action: () => unknown): string {
  try {
    action();
    return 'accepted';
  } catch (error) {
    if (error instanceof EvidenceError) return error.code;
    throw error;
  }
}

describe('manifestStatement', () => {
  it.each<[string, Partial<Record<keyof ManifestStatement, unknown>>]>([
    ['an empty manifestId', { manifestId: '' }],
    ['a manifestId with a line feed', { manifestId: 'a\nb' }],
    ['a version with a fraction', { version: 1.5 }],
    ['no version', { version: null }],
    ['an origin with a space', { origin: 'a b' }],
    ['a time without milliseconds', { signedAt: '2026-01-31T10:00:00Z' }],
    ['a division that is no name', { division: '' }],
    ['a position that is none', { auditSeqAfter: '0' }],
    ['a digest in upper case', { sha256: 'A'.repeat(64) }],
  ])('refuses %s', (_name, change) => {
    expect(code(() => manifestStatement({ ...statement, ...change } as ManifestStatement))).toBe(
      'invalid_statement',
    );
  });
});

describe('parseManifestSigningInput', () => {
  const payload = manifestStatement(statement);
  const right = Buffer.from(dssePae(MANIFEST_PAYLOAD_TYPE, payload));

  it('reads what is to be signed', () => {
    expect(parseManifestSigningInput(right)).toEqual(statement);
  });

  it('refuses every single change that is not itself a statement', () => {
    fc.assert(
      fc.property(fc.nat(right.length - 1), fc.nat(255), (at, to) => {
        const changed = Buffer.from(right);
        changed[at] = to;
        fc.pre(!changed.equals(right));
        let read: ManifestStatement;
        try {
          read = parseManifestSigningInput(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(EvidenceError);
          return;
        }
        // Still well-formed, but it says something else: it can only be signed as what it is.
        expect(Buffer.from(dssePae(MANIFEST_PAYLOAD_TYPE, manifestStatement(read)))).toEqual(changed);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['the payload alone', payload],
    ['another payload type', dssePae('application/json', payload)],
    ['bytes behind it', Buffer.concat([right, Buffer.from(' ')])],
    ['a byte less', right.subarray(0, -1)],
    ['an audit event signing input', Buffer.from('illuvrse-kernel/audit-group/v1\na\n0\n1\n')],
    ['nothing', Buffer.alloc(0)],
  ])('refuses %s', (_name, input) => {
    expect(code(() => parseManifestSigningInput(input))).toBe('invalid_signing_input');
  });

  it('refuses any other JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        fc.pre(code(() => canonicalize(value as JsonValue)) === 'accepted');
        const other = Buffer.from(canonicalize(value as JsonValue));
        expect(code(() => parseManifestSigningInput(dssePae(MANIFEST_PAYLOAD_TYPE, other)))).toBe(
          'invalid_statement',
        );
      }),
      { numRuns: 50 },
    );
  });
});

describe('dssePae', () => {
  it('counts bytes, as the protocol says', () => {
    const pae = dssePae('http://example.com/HelloWorld', Buffer.from('hello world'));
    expect(Buffer.from(pae).toString()).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world');
    expect(Buffer.from(dssePae('é', Buffer.from('€'))).toString()).toBe('DSSEv1 2 é 3 €');
  });

  it('is read back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.uint8Array(), (type, bytes) => {
        const read = parseDssePae(dssePae(type, bytes));
        expect(read?.payloadType).toBe(type);
        expect(Buffer.from(read?.payload ?? [])).toEqual(Buffer.from(bytes));
      }),
    );
  });
});

describe('base64', () => {
  it('is what Buffer makes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = Buffer.from(bytes).toString('base64');
        expect(base64Encode(bytes)).toBe(text);
        expect(Buffer.from(base64Decode(text) ?? [])).toEqual(Buffer.from(bytes));
        const into = new Uint8Array(bytes.length);
        expect(base64DecodeInto(text, into)).toBe(true);
        expect(Buffer.from(into)).toEqual(Buffer.from(bytes));
        expect(base64DecodeInto(text, new Uint8Array(bytes.length + 1))).toBe(false);
      }),
    );
  });

  it('has one spelling per value', () => {
    const character = fc.constantFrom(...'ABab019+/=-_ \n');
    fc.assert(
      fc.property(fc.array(character, { maxLength: 12 }), (characters) => {
        const text = characters.join('');
        const canonical = Buffer.from(text, 'base64').toString('base64') === text;
        expect(base64Decode(text) !== null).toBe(canonical);
      }),
      { numRuns: 2_000 },
    );
  });
});
