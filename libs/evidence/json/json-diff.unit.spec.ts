import { jsonDiff } from './json-diff';

describe('what is different between two documents', () => {
  it('is nothing between the same', () => {
    expect(jsonDiff({ a: [1, { b: null }] }, { a: [1, { b: null }] })).toEqual([]);
  });

  it('is a line for each value that went, came or changed', () => {
    expect(jsonDiff({ a: 1, b: { c: 'x' }, e: [] }, { a: 2, b: { d: 'x' }, e: [] })).toEqual([
      '- /a: 1',
      '+ /a: 2',
      '- /b/c: "x"',
      '+ /b/d: "x"',
    ]);
  });

  it('tells people and keys apart by name, not by place', () => {
    const [ada, bob, eve] = ['ada', 'bob', 'eve'].map((id) => ({
      id,
      keys: [{ keyId: `${id}-1`, pem: id }],
    }));
    expect(jsonDiff([ada!, bob!], [bob!, eve!])).toEqual([
      '- /ada/id: "ada"',
      '- /ada/keys/ada-1/keyId: "ada-1"',
      '- /ada/keys/ada-1/pem: "ada"',
      '+ /eve/id: "eve"',
      '+ /eve/keys/eve-1/keyId: "eve-1"',
      '+ /eve/keys/eve-1/pem: "eve"',
    ]);
  });
});
