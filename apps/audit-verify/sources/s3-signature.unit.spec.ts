import { encode, queryText, signedHeaders } from './s3-signature';

/** AWS's own example: S3 API reference, "Signature Calculations for the Authorization Header". */
const EXAMPLE = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: null,
};
const HOST = 'examplebucket.s3.amazonaws.com';
const AT = new Date('2013-05-24T00:00:00.000Z');

describe('the signature of a request', () => {
  it('is that of the example "GET Bucket (List Objects)"', () => {
    const query = [
      ['max-keys', '2'],
      ['prefix', 'J'],
    ] as const;
    expect(signedHeaders({ host: HOST, path: '/', query }, EXAMPLE, 'us-east-1', AT)['authorization']).toBe(
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ' +
        'SignedHeaders=host;x-amz-content-sha256;x-amz-date, ' +
        'Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    );
  });

  it('covers a session token', () => {
    const headers = signedHeaders(
      { host: HOST, path: '/', query: [] },
      { ...EXAMPLE, sessionToken: 'token' },
      'us-east-1',
      AT,
    );
    expect(headers['x-amz-security-token']).toBe('token');
    expect(headers['authorization']).toContain(
      'SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,',
    );
  });

  it('encodes as S3 does, and sorts', () => {
    expect(encode("a b/!'()*~é")).toBe('a%20b%2F%21%27%28%29%2A~%C3%A9');
    expect(
      queryText([
        ['prefix', 'a/b'],
        ['list-type', '2'],
      ]),
    ).toBe('list-type=2&prefix=a%2Fb');
  });
});
