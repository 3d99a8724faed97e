import { once } from 'node:events';
import { type IncomingMessage } from 'node:http';
import { attachContext, RequestContext } from '../request-context';
import { AccessError, type AccessErrorCode } from './access-error';
import { type AccessRules } from './access-rules';
import { judgeBy } from './rules-of-listener';
import { whilePermitted } from './while-permitted';

describe('a request whose answer does not end', () => {
  let asked: number;
  let refusal: AccessErrorCode | undefined;
  const rules: AccessRules = {
    policies: new Set(),
    identify: () => {
      asked++;
      if (refusal !== undefined) return Promise.reject(new AccessError(refusal, 'no'));
      return Promise.resolve({ id: 'p', kind: 'human', roles: [] });
    },
    permit: () => 'all',
  };
  beforeEach(() => {
    asked = 0;
    refusal = undefined;
  });
  const request = (judged = true): IncomingMessage => {
    const incoming = { headers: {}, method: 'GET', socket: {} } as IncomingMessage;
    const context = new RequestContext('r', incoming);
    context.operation = { policy: 'audit.read' } as never;
    attachContext(incoming, context);
    if (judged) judgeBy(rules, incoming);
    return incoming;
  };
  const until = async (condition: () => boolean) => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
  };

  it.each<AccessErrorCode>(['sign_in_required', 'forbidden'])('ends when its caller is %s', async (code) => {
    const gone = new AbortController();
    const signal = whilePermitted(request(), gone.signal, 1);
    await until(() => asked > 2);
    expect(signal.aborted).toBe(false);
    refusal = code;
    await once(signal, 'abort');
    const then = asked;
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(asked).toBe(then);
  });

  it('goes on while its caller cannot be asked for', async () => {
    const gone = new AbortController();
    const signal = whilePermitted(request(), gone.signal, 1);
    refusal = 'sign_in_unavailable';
    await until(() => asked > 3);
    expect(signal.aborted).toBe(false);
    gone.abort();
  });

  it('asks for no one on a listener without rules of its own, nor when the reader is gone', async () => {
    const gone = new AbortController();
    whilePermitted(request(false), gone.signal, 1);
    gone.abort();
    whilePermitted(request(), AbortSignal.abort(), 1_000);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(asked).toBe(0);
  });
});
