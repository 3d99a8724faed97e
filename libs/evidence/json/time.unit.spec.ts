import { isRfc3339, isTimestamp } from './time';

/** Texts that `Date.parse` of Node.js takes. */
const ODD = [
  '2026',
  '2026-01-31',
  '2026-01-31T10:00Z',
  '2026-01-31T10:00:00',
  '2026-01-31 10:00:00Z',
  '2026-01-31t10:00:00z',
  '+002026-01-31T10:00:00.000Z',
  '2026-02-31T10:00:00.000Z',
  '2026-01-31T24:00:00.000Z',
  'Jan 31, 2026 10:00 UTC',
  '1',
];

describe('a time', () => {
  it.each(ODD)('is not what only Date.parse takes: %s', (text) => {
    expect(Date.parse(text)).not.toBeNaN();
    expect([isRfc3339(text), isTimestamp(text)]).toEqual([false, false]);
  });

  it.each(['2026-01-31T10:00:00Z', '2024-02-29T23:59:59.123456+05:30', '2026-01-31T10:00:00-00:00'])(
    'is any of RFC 3339, and not as the kernel writes it: %s',
    (text) => expect([isRfc3339(text), isTimestamp(text)]).toEqual([true, false]),
  );

  it.each(['2026-01-31T10:00:00+24:00', '2026-01-31T10:00:00+05:60', '2023-02-29T00:00:00Z', null, 5])(
    'is not %s',
    (value) => expect(isRfc3339(value)).toBe(false),
  );

  it('is written with milliseconds', () => expect(isTimestamp('2026-01-31T10:00:00.000Z')).toBe(true));
});
