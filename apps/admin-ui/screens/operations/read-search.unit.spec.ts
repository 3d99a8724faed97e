import { oneOf, readSearch } from './read-search';

describe('the parameters of an address', () => {
  it('are those with a name and a text', () => {
    const search = { state: ' dead ', cursor: '', limit: '5', kind: 7 };
    expect(readSearch(search, ['state', 'cursor', 'kind'])).toEqual({ state: 'dead' });
  });

  it('are one of a few words, or nothing', () => {
    expect(oneOf('dead', ['pending', 'dead'])).toBe('dead');
    expect(oneOf('drop table', ['pending', 'dead'])).toBeUndefined();
    expect(oneOf(undefined, ['pending'])).toBeUndefined();
  });
});
