import { Registry } from 'prom-client';
import { type Logger } from '../logs/logger';
import { type Validity } from './certificates';
import { ExpiryWatch } from './expiry-watch';

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
const NOW = Date.parse('2026-11-01T00:00:00Z');

const certificate = (days: number, serial = '01'): Validity => ({
  kind: 'certificate',
  subject: 'CN=kernel',
  serial,
  from: NOW - 90 * DAY_MS,
  to: NOW + days * DAY_MS,
});
const list = (days: number): Validity => ({
  kind: 'revocation list',
  subject: 'CN=client CA',
  serial: '',
  from: NOW,
  to: NOW + days * DAY_MS,
});

describe('ExpiryWatch', () => {
  const said: string[] = [];
  const log =
    (level: string) =>
    (_fields: unknown, text: string): void =>
      void said.push(`${level}: ${text}`);
  const logger = { warn: log('warn'), error: log('error') } as unknown as Logger;
  let registry: Registry;
  let watch: ExpiryWatch;
  beforeEach(() => {
    said.length = 0;
    registry = new Registry();
    watch = new ExpiryWatch('service_api', logger, registry);
  });
  /** Looks every hour from one day to another. */
  const pass = (fromDay: number, toDay: number): void => {
    for (let at = NOW + fromDay * DAY_MS; at < NOW + toDay * DAY_MS; at += HOUR_MS) watch.look(at);
  };

  it('logs a certificate once a day from fourteen days before its end', () => {
    watch.watch([certificate(30)]);
    pass(0, 16);
    expect(said).toEqual([]);
    pass(16, 19);
    expect(said).toEqual([14, 13, 12].map((days) => `warn: a certificate ends in ${days} days; renew it`));
  });

  it('logs a certificate that has ended once a day as an error', () => {
    watch.watch([certificate(1)]);
    pass(1, 3);
    expect(said).toHaveLength(2);
    expect(said[0]).toBe('error: a certificate has ended; renew it or take it out of the file');
  });

  it('logs each of several, and a renewed one no longer', () => {
    watch.watch([certificate(3), certificate(5, '02')]);
    pass(0, 1);
    expect(said).toHaveLength(2);
    watch.watch([certificate(80, '03')]);
    pass(1, 3);
    expect(said).toHaveLength(2);
  });

  it('does not repeat what it has said within a day because other files have changed', () => {
    watch.watch([certificate(3)]);
    watch.look(NOW);
    watch.watch([certificate(3), list(8)]);
    watch.look(NOW + HOUR_MS);
    expect(said).toHaveLength(1);
  });

  it('logs a revocation list in the last quarter of its life, and every hour once it has ended', () => {
    watch.watch([list(4)]);
    pass(0, 3);
    expect(said).toEqual([]);
    pass(3, 4);
    expect(said).toEqual(['warn: a revocation list ends in 1 days; renew it']);
    said.length = 0;
    pass(5, 6);
    expect(said).toHaveLength(24);
    expect(said[0]).toBe(
      'error: a revocation list has ended, and its clients are refused; publish a new one',
    );
  });

  it('shows when certificates and lists end', async () => {
    watch.watch([certificate(30), list(4)]);
    const metrics = await registry.metrics();
    expect(metrics).toContain(
      `tls_certificate_expiry_timestamp_seconds{use="service_api",subject="CN=kernel",serial="01"} ${(NOW + 30 * DAY_MS) / 1000}`,
    );
    expect(metrics).toContain(
      `tls_revocation_list_expiry_timestamp_seconds{use="service_api",subject="CN=client CA"} ${(NOW + 4 * DAY_MS) / 1000}`,
    );
  });

  it('bounds how many series and how long their labels are', async () => {
    const subject = 'x'.repeat(500);
    watch.watch(Array.from({ length: 150 }, (_, n) => ({ ...certificate(100 - n / 2, String(n)), subject })));
    const series = (await registry.metrics())
      .split('\n')
      .filter((line) => line.includes('use="service_api"'));
    expect(series).toHaveLength(50);
    // Those that end first.
    expect(series.join()).toContain('serial="149"');
    expect(Math.max(...series.map((line) => line.length))).toBeLessThan(300);
  });
});
