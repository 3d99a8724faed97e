import { modeEffects, MODES, modeWords } from './mode-words';

describe('a change of the mode', () => {
  it('says what it does to whom', () => {
    expect(modeEffects('normal', 'read-only')[0]).toBe(
      'All kernels go from normal to read-only: every write and every signature is refused (503), reads go on.',
    );
    expect(modeEffects('safe-mode', 'normal')[0]).toBe(
      'All kernels go from safe-mode to normal: writes and signatures are answered again.',
    );
  });

  it('is confirmed in words of its own', () => {
    expect(new Set(MODES.map(modeWords)).size).toBe(MODES.length);
  });
});
