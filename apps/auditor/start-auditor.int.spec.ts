import { type DataSource } from '#platform/postgres';
import { createLogger, loadConfig, loadPart, Registry } from '#platform/process';
import { type Auditor } from './auditor';
import { auditorConfig } from './auditor.config';
import { type RunningAuditor, startAuditor } from './start-auditor';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const { KERNEL_AUDIT_TIME, KERNEL_SPOT_CHECK_MINUTES } = auditorConfig.members;
/** The settings when nothing is set. */
const DEFAULTS = loadConfig({ members: { KERNEL_AUDIT_TIME, KERNEL_SPOT_CHECK_MINUTES } }, {});

describe('the clock of the auditor', () => {
  let service: RunningAuditor;
  let audits: string[];
  let spotChecks: number;
  let finish: (() => void) | undefined;

  const auditor: Pick<Auditor, 'auditOnTime' | 'spotCheck' | 'stop' | 'check' | 'recall'> = {
    auditOnTime: () => {
      audits.push(new Date().toISOString());
      return Promise.resolve();
    },
    spotCheck: () => {
      spotChecks++;
      return finish === undefined ? Promise.resolve() : new Promise((resolve) => (finish = resolve));
    },
    stop: () => Promise.resolve(),
    recall: () => Promise.resolve(),
    check: () => undefined,
  };

  async function start(settings: Record<string, string> = {}): Promise<void> {
    const { auditTime, spotCheckMinutes } = loadPart(
      { members: { KERNEL_AUDIT_TIME, KERNEL_SPOT_CHECK_MINUTES } },
      settings,
    );
    service = await startAuditor({
      origin: 'kernel.test/clock',
      shards: 1,
      dataSource: {} as DataSource,
      auditor: auditor as Auditor,
      auditTime,
      spotCheckMinutes,
      registry: new Registry(),
      logger: createLogger({ app: 'auditor', level: 'silent' }),
      management: { host: '127.0.0.1', port: 0 },
    });
  }

  beforeEach(() => {
    audits = [];
    spotChecks = 0;
    finish = undefined;
    jest.useFakeTimers({
      now: new Date('2026-03-28T22:00:00.000Z'),
      doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance', 'hrtime'],
    });
  });
  afterEach(async () => {
    jest.useRealTimers();
    await service.close();
  });

  it('audits every night at two, whatever the local time does, unless something else is said', async () => {
    expect(DEFAULTS).toMatchObject({ auditTime: '02:00', spotCheckMinutes: 15 });
    await start();
    await jest.advanceTimersByTimeAsync(3 * HOUR_MS);
    expect(audits).toEqual([]);
    await jest.advanceTimersByTimeAsync(48 * HOUR_MS);
    expect(audits.map((at) => at.slice(0, 16))).toEqual(['2026-03-29T02:00', '2026-03-30T02:00']);
  });

  it('makes a spot check every quarter of an hour, one at a time', async () => {
    await start();
    await jest.advanceTimersByTimeAsync(HOUR_MS);
    expect(spotChecks).toBe(4);
    finish = () => undefined;
    await jest.advanceTimersByTimeAsync(HOUR_MS);
    expect(spotChecks).toBe(5);
    finish();
    await jest.advanceTimersByTimeAsync(15 * MINUTE_MS);
    expect(spotChecks).toBe(6);
    finish();
  });

  it('takes another time, and no spot checks, when it is told so', async () => {
    await start({ KERNEL_AUDIT_TIME: '23:30', KERNEL_SPOT_CHECK_MINUTES: '0' });
    await jest.advanceTimersByTimeAsync(3 * HOUR_MS);
    expect(audits.map((at) => at.slice(0, 16))).toEqual(['2026-03-28T23:30']);
    expect(spotChecks).toBe(0);
  });
});
