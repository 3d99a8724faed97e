import { AttemptKey } from './attempt-key';

describe('the key of an attempt', () => {
  let made = 0;
  const keys = () => new AttemptKey(() => `key-${++made}`);
  beforeEach(() => {
    made = 0;
  });

  it('is the same while no answer came', () => {
    const attempt = keys();
    expect(attempt.keyFor({ mode: 'normal' })).toBe('key-1');
    expect(attempt.keyFor({ mode: 'normal' })).toBe('key-1');
  });

  it('is another for another command', () => {
    const attempt = keys();
    attempt.keyFor({ mode: 'normal' });
    expect(attempt.keyFor({ mode: 'read-only' })).toBe('key-2');
  });

  it('is another after an answer', () => {
    const attempt = keys();
    attempt.keyFor({ mode: 'normal' });
    attempt.settle();
    expect(attempt.keyFor({ mode: 'normal' })).toBe('key-2');
  });
});
