import { readBackupInfo } from './backup-catalogue';

describe('readBackupInfo', () => {
  it('reads what barman writes', () => {
    const text = [
      'backup_label=None',
      'begin_time=2026-11-30 02:00:01.123456+00:00',
      'begin_wal=000000010000000000000005',
      'end_time=2026-11-30 02:07:41.5+00:00',
      'end_wal=000000010000000000000006',
      'status=DONE',
      "tablespaces=[('a', 1, '/x=y')]",
    ].join('\n');
    expect(readBackupInfo('20261130T020001', text)).toEqual({
      id: '20261130T020001',
      status: 'DONE',
      beginTime: new Date('2026-11-30T02:00:01.123Z'),
      endTime: new Date('2026-11-30T02:07:41.500Z'),
      beginWal: '000000010000000000000005',
      endWal: '000000010000000000000006',
    });
  });

  it.each([
    ['', 'UNREADABLE'],
    ['status=STARTED\nend_time=None\nend_wal=None\n', 'STARTED'],
    ['status=DONE\nbegin_wal=../../etc/passwd\n', 'DONE'],
  ])('takes %j for no whole backup', (text, status) => {
    expect(readBackupInfo('x', text)).toMatchObject({ status, endTime: null, beginWal: null, endWal: null });
  });
});
