import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { sha256Hex } from '#evidence';
import { RequestSigner, type SigningCredentials } from './request-signer';
import { queryText, uriEncode } from './uri-encoding';

const EXAMPLE = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};

/** Headers that a signer adds last; signing its result again would sign these too. */
const ADDED = new Set([
  'authorization',
  'user-agent',
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-security-token',
]);

interface SignedRequest {
  path: string;
  headers: Record<string, string>;
}

/** Signs a put as the SDK sends it. */
async function signedBySdk(
  credentials: SigningCredentials,
  body: Uint8Array,
  key: string,
): Promise<SignedRequest> {
  const client = new S3Client({
    region: 'eu-central-1',
    endpoint: 'http://127.0.0.1:9000',
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    credentials: { ...credentials, sessionToken: credentials.sessionToken ?? undefined } as never,
  });
  let sent: SignedRequest | undefined;
  const command = new PutObjectCommand({ Bucket: 'bucket', Key: key, Body: body, IfNoneMatch: '*' });
  command.middlewareStack.add(
    () => (args) => {
      sent = args.request as SignedRequest;
      return Promise.resolve({ output: { $metadata: {} }, response: undefined });
    },
    { step: 'finalizeRequest', priority: 'low' },
  );
  // The SDK signs the operation's name as part of the query; a plain put has none.
  command.middlewareStack.add(
    (next) => (args) => {
      (args.request as { query: object }).query = {};
      return next(args);
    },
    { step: 'build' },
  );
  await client.send(command);
  client.destroy();
  if (sent === undefined) throw new Error('the SDK sent nothing');
  return sent;
}

describe('the signature of a request', () => {
  it('is that of the example in the S3 API reference', () => {
    // "Signature Calculations for the Authorization Header: ... Example: PUT Object".
    const headers = new RequestSigner('us-east-1', 's3').sign(
      {
        method: 'PUT',
        path: '/test%24file.text',
        headers: {
          host: 'examplebucket.s3.amazonaws.com',
          date: 'Fri, 24 May 2013 00:00:00 GMT',
          'x-amz-storage-class': 'REDUCED_REDUNDANCY',
        },
        payloadSha256: sha256Hex('Welcome to Amazon S3.'),
      },
      EXAMPLE,
      new Date('2013-05-24T00:00:00Z'),
    );
    expect(headers['authorization']).toBe(
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ' +
        'SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, ' +
        'Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    );
    expect(headers).toMatchObject({ 'x-amz-date': '20130524T000000Z' });
  });

  it('is that of the example "GET Bucket (List Objects)"', () => {
    const query = [
      ['max-keys', '2'],
      ['prefix', 'J'],
    ] as const;
    const headers = { host: 'examplebucket.s3.amazonaws.com' };
    const request = { method: 'GET', path: '/', query, headers, payloadSha256: sha256Hex('') };
    const at = new Date('2013-05-24T00:00:00.000Z');
    expect(new RequestSigner('us-east-1', 's3').sign(request, EXAMPLE, at)['authorization']).toBe(
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ' +
        'SignedHeaders=host;x-amz-content-sha256;x-amz-date, ' +
        'Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    );
  });

  it('covers a session token', () => {
    const request = { method: 'GET', path: '/', headers: { host: 'a' }, payloadSha256: sha256Hex('') };
    const headers = new RequestSigner('us-east-1', 's3').sign(
      request,
      { ...EXAMPLE, sessionToken: 'token' },
      new Date(),
    );
    expect(headers['x-amz-security-token']).toBe('token');
    expect(headers['authorization']).toContain(
      'SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,',
    );
  });

  it('encodes as S3 does, and sorts', () => {
    expect(uriEncode("a b/!'()*~é")).toBe('a%20b%2F%21%27%28%29%2A~%C3%A9');
    expect(
      queryText([
        ['prefix', 'a/b'],
        ['list-type', '2'],
      ]),
    ).toBe('list-type=2&prefix=a%2Fb');
  });

  it("is the SDK's own: for other credentials, with a token, after each other and on another day", async () => {
    const signer = new RequestSigner('eu-central-1', 's3');
    const second = { accessKeyId: 'SECOND', secretAccessKey: 'another-secret-of-a-test' };
    const third = { ...second, sessionToken: 'token-of-a-test/with+characters==' };
    const bodies = [Buffer.alloc(0), Buffer.from('{"canonical":"bytes"}')];
    for (const credentials of [EXAMPLE, second, third, EXAMPLE]) {
      for (const body of bodies) {
        const sent = await signedBySdk(credentials, body, 'audit/2026/11/23/0198-a_b.json');
        const headers = Object.fromEntries(Object.entries(sent.headers).filter(([name]) => !ADDED.has(name)));
        const date = sent.headers['x-amz-date'] ?? '';
        const at = date.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5');
        const request = { method: 'PUT', path: sent.path, headers, payloadSha256: sha256Hex(body) };
        // A day in between, so that keys of days are not confused.
        signer.sign(request, credentials, new Date(Date.parse(at) + 86_400_000));
        const { 'user-agent': _, ...expected } = sent.headers;
        expect(signer.sign(request, credentials, new Date(at))).toEqual(expected);
      }
    }
  });
});
