import { safeReturn } from './safe-return';

const ORIGIN = 'https://kernel.example.com';

describe('the page after sign-in', () => {
  it.each(['/', '/upgrades/upg-1?tab=diff#top', '/a%20b', '/authors', '/kernels'])(
    'is %s where it was asked',
    (page) => {
      expect(safeReturn(page, ORIGIN)).toBe(page);
    },
  );

  it.each([
    'https://evil.example/',
    'https://kernel.example.com/',
    'https://kernel.example.com@evil.example/',
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\tevil',
    '/\n/evil.example',
    '/\r\nSet-Cookie: a=b',
    '/%2f%2fevil.example/..//evil.example',
    '/..//evil.example',
    '/./\\evil.example',
    'javascript:alert(1)',
    ' javascript:alert(1)',
    'data:text/html,x',
    'evil.example',
    '',
    '/auth/logout',
    '/auth',
    '/AUTH/login',
    '/%61uth/login',
    '/x/../auth/login',
    '/kernel/audit',
    '/%',
    '/\u2025/evil',
    `/${'x'.repeat(3_000)}`,
    ['/a', '/b'],
    { toString: () => '/a' },
    undefined,
    null,
    7,
  ])('is the home page for %j', (asked) => {
    expect(safeReturn(asked, ORIGIN)).toBe('/');
  });
});
