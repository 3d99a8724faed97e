import { ApiProblem, isPassing, told, Unreachable } from './problem';

describe('what a person is told', () => {
  it('of a refusal: the kernel’s own sentence under a title of ours', () => {
    const problem = new ApiProblem(403, {
      error: 'forbidden',
      detail: 'Not permitted: you lead no division.',
    });
    expect(told(problem)).toEqual({
      title: 'You may not do that',
      detail: 'Not permitted: you lead no division.',
      reference: null,
    });
  });

  it('of a failure: what to give to the operators, and when to try again', () => {
    const body = {
      error: 'overloaded',
      detail: 'Too many.',
      error_id: '0198c0de-7a3b-7c4d-8e5f-0123456789ab',
    };
    expect(told(new ApiProblem(503, body, 5))).toEqual({
      title: 'The kernel has too much to do',
      detail: 'Too many. Try again in 5 s.',
      reference: body.error_id,
    });
  });

  it.each([
    [409, 'That has changed in the meantime'],
    [500, 'The kernel failed'],
    [418, 'The kernel refuses'],
  ])('of a word that is not known, by its status %i', (status, title) => {
    expect(told(new ApiProblem(status, { error: 'never_heard_of' })).title).toBe(title);
  });

  it('of an answer that is no problem document', () => {
    expect(told(new ApiProblem(502, {}))).toMatchObject({ detail: 'The kernel answered with status 502.' });
  });

  it('of a kernel that is away, and of anything else', () => {
    expect(told(new Unreachable()).title).toBe('The kernel does not answer');
    expect(told(new TypeError('x is not a function'))).toMatchObject({
      title: 'This page failed',
      detail: 'x is not a function',
    });
    expect(told('a text').detail).toBe('a text');
  });
});

it('asks again where it can be expected to help, and nowhere else', () => {
  expect([new Unreachable(), new ApiProblem(503, {}), new ApiProblem(429, {})].map(isPassing)).toEqual([
    true,
    true,
    true,
  ]);
  const lasting = [400, 401, 403, 404, 409, 500].map((status) => new ApiProblem(status, {}));
  expect([...lasting, new Error('x')].some(isPassing)).toBe(false);
});
