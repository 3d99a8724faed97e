import * as sdk from '@aws-sdk/client-s3';
import { bucketAddress } from './bucket-address';

describe('the address of a bucket', () => {
  it.each([
    [
      'a host name of its own on AWS',
      { region: 'eu-central-1' },
      'audit',
      { origin: 'https://audit.s3.eu-central-1.amazonaws.com', pathPrefix: '/', region: 'eu-central-1' },
    ],
    [
      'by path where a certificate would not cover the name',
      { region: 'us-east-1' },
      'audit.example.org',
      {
        origin: 'https://s3.us-east-1.amazonaws.com',
        pathPrefix: '/audit.example.org/',
        region: 'us-east-1',
      },
    ],
    [
      'of another partition',
      { region: 'cn-north-1' },
      'audit',
      { origin: 'https://audit.s3.cn-north-1.amazonaws.com.cn', pathPrefix: '/', region: 'cn-north-1' },
    ],
    [
      'of FIPS',
      { region: 'us-gov-west-1', useFipsEndpoint: true },
      'audit',
      {
        origin: 'https://audit.s3-fips.us-gov-west-1.amazonaws.com',
        pathPrefix: '/',
        region: 'us-gov-west-1',
      },
    ],
    [
      'by path on a server of our own',
      { region: 'us-east-1', endpoint: 'http://127.0.0.1:9000', forcePathStyle: true },
      'audit',
      { origin: 'http://127.0.0.1:9000', pathPrefix: '/audit/', region: 'us-east-1' },
    ],
    [
      'below a path',
      { region: 'us-east-1', endpoint: 'https://storage.example.org/s3', forcePathStyle: true },
      'audit',
      { origin: 'https://storage.example.org', pathPrefix: '/s3/audit/', region: 'us-east-1' },
    ],
    [
      'by host name on a server of our own',
      { region: 'us-east-1', endpoint: 'https://storage.example.org:9000', forcePathStyle: false },
      'audit',
      { origin: 'https://audit.storage.example.org:9000', pathPrefix: '/', region: 'us-east-1' },
    ],
  ])('is %s', async (_, config, bucket, address) => {
    expect(await bucketAddress(sdk, config, bucket)).toEqual({ ...address, service: 's3' });
  });

  it('is refused for buckets that have no lock and are signed for otherwise', async () => {
    await expect(bucketAddress(sdk, { region: 'us-east-1' }, 'audit--use1-az4--x-s3')).rejects.toMatchObject({
      code: 'unsupported',
    });
  });

  it('is refused for a region that is none', async () => {
    await expect(bucketAddress(sdk, { region: 'not a region' }, 'audit')).rejects.toMatchObject({
      code: 'invalid_options',
      message: expect.stringContaining('S3_REGION'),
    });
  });
});
