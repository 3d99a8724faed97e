import { type IncomingMessage, type ServerResponse } from 'node:http';
import { CodedError } from '#evidence';
import { createLogger } from '#platform/process';
import { ProblemMap, problemsOf } from './problem-map';
import { ProblemWriter } from './problem-writer';

class Refused extends CodedError<'plain' | 'told' | 'worded'> {}

describe('a fault', () => {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({
    app: 'test',
    level: 'info',
    destination: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  const problems = new ProblemMap([
    problemsOf(Refused, {
      plain: { status: 503 },
      told: { status: 503, told: true, members: ['since'] },
      worded: { status: 503, detail: 'Nothing is signed now.', members: ['reason'] },
    }),
  ]);
  const details = { since: 'yesterday', reason: 'deadline', host: '10.0.0.7' };

  function answered(code: 'plain' | 'told' | 'worded'): Record<string, unknown> {
    lines.length = 0;
    let body = '';
    const response = {
      headersSent: false,
      setHeader: () => undefined,
      end: (text: string) => (body = text),
    } as unknown as ServerResponse;
    const error = new Refused(code, 'Since yesterday 10.0.0.7 is away.', details);
    new ProblemWriter(problems, logger).write(error, { url: '/x' } as IncomingMessage, response);
    return JSON.parse(body) as Record<string, unknown>;
  }

  it.each([
    ['plain', { detail: expect.stringContaining('error_id names the cause in its log') as unknown }],
    ['told', { detail: 'Since yesterday 10.0.0.7 is away.', since: 'yesterday' }],
    ['worded', { detail: 'Nothing is signed now.', reason: 'deadline' }],
  ] as const)('that is %s tells the caller no more than that, and the log all of it', (code, told) => {
    const { type, title, status, error, error_id, instance, ...rest } = answered(code);
    expect(rest).toEqual(told);
    expect([status, error, instance]).toEqual([503, code, '/x']);
    expect([type, title].every((text) => typeof text === 'string')).toBe(true);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ error_id, err: { message: 'Since yesterday 10.0.0.7 is away.' } });
  });
});
