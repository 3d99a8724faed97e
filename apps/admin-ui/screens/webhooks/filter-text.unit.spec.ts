import { filterOf, filterText } from './filter-text';

const ALL = { types: null, subject: null, division: null, actor: null };
const TYPED = { types: '', subject: '', division: '', actor: '' };

describe('what a webhook is sent', () => {
  it.each([
    [ALL, 'every event'],
    [{ ...ALL, types: ['invoice.paid', 'invoice.sent'] }, 'invoice.paid, invoice.sent'],
    [
      { ...ALL, subject: 'invoice/', division: 'product' },
      'events of streams that begin with invoice/, of division product',
    ],
    [{ ...ALL, types: ['invoice.paid'], actor: 'anna' }, 'invoice.paid, by anna'],
  ])('%j', (filter, expected) => {
    expect(filterText(filter)).toBe(expected);
  });

  it('is typed as words', () => {
    expect(filterOf({ ...TYPED, types: ' invoice.paid,invoice.sent\ninvoice.paid ', actor: ' ' })).toEqual({
      types: ['invoice.paid', 'invoice.sent'],
    });
    expect(filterOf(TYPED)).toBeUndefined();
  });
});
