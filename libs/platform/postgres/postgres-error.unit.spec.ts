import { PostgresError, postgresError } from './postgres-error';

const fromServer = (code: string, severity = 'ERROR') =>
  Object.assign(new Error('said so'), { code, severity, constraint: 'some_key' });

describe('postgresError', () => {
  it.each([
    ['23505', 'unique_violation'],
    ['23001', 'refused'],
    ['42501', 'refused'],
    ['22021', 'invalid_value'],
    ['22P05', 'invalid_value'],
    ['22008', 'invalid_value'],
    ['22003', 'invalid_value'],
    ['40001', 'busy'],
    ['40P01', 'busy'],
    ['53300', 'busy'],
    ['25006', 'busy'],
    ['55P03', 'busy'],
    ['57014', 'busy'],
  ] as const)('of a server that rolled back (%s) is %s', (code, kind) => {
    expect(postgresError(fromServer(code))).toMatchObject({
      code: kind,
      message: 'said so',
      constraint: 'some_key',
    });
  });

  it('tells a row without a partition from a check that failed, which has a name', () => {
    const failed = {
      code: '23514',
      severity: 'ERROR',
      message: 'no partition of relation "events" found for row',
    };
    expect(postgresError(failed).code).toBe('no_partition');
    expect(postgresError({ ...failed, constraint: 'events_seq_check' })).toMatchObject({
      code: 'refused',
      constraint: 'events_seq_check',
    });
  });

  it('leaves the outcome open when the session ended, whatever the reason given', () => {
    expect(postgresError(fromServer('57P01', 'FATAL')).code).toBe('lost');
    expect(postgresError(fromServer('XX000', 'PANIC')).code).toBe('lost');
    expect(postgresError(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })).code).toBe(
      'lost',
    );
    expect(postgresError(new Error('Connection terminated unexpectedly')).code).toBe('lost');
  });

  it('knows that nothing was sent without a connection', () => {
    expect(postgresError(new Error('connect ECONNREFUSED'), 'unreachable').code).toBe('unreachable');
    expect(postgresError(fromServer('57P03', 'FATAL'), 'unreachable').code).toBe('unreachable');
  });

  it('keeps what is one already, and the cause of what is not', () => {
    const error = new PostgresError('busy', 'x', undefined);
    expect(postgresError(error)).toBe(error);
    const cause = new Error('y');
    expect(postgresError(cause).cause).toBe(cause);
  });
});
