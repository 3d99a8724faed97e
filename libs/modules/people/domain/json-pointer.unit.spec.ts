import { atPointer, JSON_POINTER } from './json-pointer';

describe('atPointer', () => {
  const document = { a: { 'b/c': ['x', { '~': 1 }] }, 'https://claims.example/groups': ['g'] };

  it.each([
    ['/a/b~1c/0', 'x'],
    ['/a/b~1c/1/~0', 1],
    ['/https:~1~1claims.example~1groups', ['g']],
    ['/a/b~1c/2', undefined],
    ['/a/b~1c/00', undefined],
    ['/a/b~1c/-', undefined],
    ['/a/b~1c/length', undefined],
    ['/a/toString', undefined],
    ['/__proto__', undefined],
    ['/constructor/name', undefined],
    ['/nothing/deeper', undefined],
  ])('finds at %s %j', (pointer, value) => {
    expect(atPointer(document, pointer)).toEqual(value);
  });

  it.each(['', 'groups', '/a~2', '/a~'])('takes no pointer %j', (pointer) => {
    expect(JSON_POINTER.test(pointer)).toBe(false);
  });
});
