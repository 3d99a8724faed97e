import { loadConfig } from '#platform/process';
import { portsFrom } from '#dev/devstack';
import { cliConfig } from '../../cli.config';
import { assertServersThere, foreignServers, serversFrom, serversToUse } from './servers';

const BUCKET = {
  S3_ENDPOINT: 'http://s3.example.com:9000',
  S3_BUCKET: 'audit',
  S3_REGION: 'eu-1',
  S3_ACCESS_KEY_ID: 'id',
  S3_SECRET_ACCESS_KEY: 'secret',
};
const KAFKA = { KAFKA_BROKERS: 'a.example.com:9092,b.example.com:9092' };
const from = (env: Record<string, string>) => serversFrom(loadConfig(cliConfig, env));

describe('servers that are named in the environment', () => {
  it('are none when nothing is said', () => {
    expect(serversToUse(from({}))).toEqual({});
  });

  it('are used instead of own ones, with all that is needed to reach them', () => {
    expect(serversToUse(from({ ...KAFKA, ...BUCKET }))).toEqual({ ...KAFKA, ...BUCKET });
  });

  it.each(['S3_BUCKET', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'])(
    'are refused where %s is missing beside S3_ENDPOINT',
    (name) => {
      const { [name]: _, ...rest } = BUCKET as Record<string, string>;
      expect(() => from(rest)).toThrow(/set S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY too/);
    },
  );

  it('need no programs on this machine', () => {
    expect(() =>
      assertServersThere({ stream: 'kafka', archive: 's3' }, from({ ...KAFKA, ...BUCKET })),
    ).not.toThrow();
  });

  it('are not the own ones of a stack, which a shell names that has read its kernel.env', () => {
    const ports = portsFrom(8440);
    const own = from({
      KAFKA_BROKERS: `127.0.0.1:${ports.kafka}`,
      ...BUCKET,
      S3_ENDPOINT: `http://127.0.0.1:${ports.s3}`,
    });
    expect(foreignServers(own, ports)).toEqual({});
    const foreign = from({ ...KAFKA, ...BUCKET });
    expect(foreignServers(foreign, ports)).toEqual(foreign);
  });
});
