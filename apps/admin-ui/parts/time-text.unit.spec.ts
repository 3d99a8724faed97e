import { ageText, timeText } from './time-text';

describe('a time', () => {
  const AT = '2026-11-30T15:04:05.678Z';

  it('is written so that it sorts, in UTC with its zone', () => {
    expect(timeText(AT, 'utc')).toBe('2026-11-30 15:04:05 UTC');
    expect(timeText(AT, 'utc', { exact: true })).toBe('2026-11-30 15:04:05.678 UTC');
    expect(timeText('0099-01-02T03:04:05Z', 'utc')).toBe('0099-01-02 03:04:05 UTC');
  });

  it('is written in the zone of the device', () => {
    const local = new Date(AT);
    const hours = String(local.getHours()).padStart(2, '0');
    expect(timeText(AT, 'local')).toContain(` ${hours}:04:05`);
    expect(timeText(AT, 'local')).not.toContain('UTC');
  });

  it('that is none stays as it came', () => {
    expect([timeText('soon', 'utc'), ageText('soon', 0)]).toEqual(['soon', 'soon']);
  });

  it.each([
    [0, 'now'],
    [-1_400, '1 second ago'],
    [-59_000, '59 seconds ago'],
    [-90_000, '90 seconds ago'],
    [-150_000, '2 minutes ago'],
    [-7_200_000, '2 hours ago'],
    [-3 * 86_400_000, '3 days ago'],
    [3_600_000, 'in 60 minutes'],
    [47.9 * 3_600_000, 'in 47 hours'],
  ])('%i ms away is %s', (offset, said) => {
    const now = Date.parse(AT);
    expect(ageText(new Date(now + offset).toISOString(), now)).toBe(said);
  });
});
