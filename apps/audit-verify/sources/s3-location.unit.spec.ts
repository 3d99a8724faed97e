import { readS3Location } from './s3-location';

const credentials = { accessKeyId: 'id', secretAccessKey: 'secret', sessionToken: null };
const AWS = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_REGION: 'eu-central-1' };

describe('readS3Location', () => {
  it('reads a bucket at AWS', () => {
    expect(readS3Location('s3://audit-bucket/kernel/prod/', null, AWS)).toEqual({
      endpoint: 'https://audit-bucket.s3.eu-central-1.amazonaws.com',
      bucketInPath: false,
      bucket: 'audit-bucket',
      prefix: 'kernel/prod/',
      region: 'eu-central-1',
      credentials,
    });
  });

  it('reads a bucket at another endpoint, from the option before the variables', () => {
    const env = { AWS_ENDPOINT_URL: 'http://127.0.0.1:1', AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:2' };
    const at = (endpoint: string | null, given: Record<string, string> = env): string =>
      readS3Location('s3://audit-bucket', endpoint, given).endpoint;
    expect(at('http://127.0.0.1:3')).toBe('http://127.0.0.1:3');
    expect(at(null)).toBe('http://127.0.0.1:2');
    expect(at(null, { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' })).toBe('http://127.0.0.1:1');
  });

  it('reads a URL that names all, anonymously without credentials', () => {
    expect(readS3Location('https://s3.example.com:9000/audit-bucket/a', null, {})).toEqual({
      endpoint: 'https://s3.example.com:9000',
      bucketInPath: true,
      bucket: 'audit-bucket',
      prefix: 'a/',
      region: 'us-east-1',
      credentials: null,
    });
  });

  it('refuses half of the credentials', () => {
    expect(() => readS3Location('s3://audit-bucket', null, { AWS_ACCESS_KEY_ID: 'id' })).toThrow(/both/);
  });
});
