const HOME = '/';
const MAX_LENGTH = 2_048;
/** Letters with which a browser could read a path as the beginning of another origin, or a header as two. */
// eslint-disable-next-line no-control-regex -- control characters are what a return address must not hold
const UNSAFE = /[\\\u0000-\u0020\u007f-\uffff]/;

/**
 * The page to return to after sign-in: a path of this origin, or the home page. What a browser resolves is compared, not
 * what the text looks like: `//host`, `/\host` and `/%09/host` lead elsewhere in one browser or another.
 */
export function safeReturn(asked: unknown, origin: string): string {
  if (typeof asked !== 'string' || asked.length > MAX_LENGTH || UNSAFE.test(asked)) return HOME;
  if (!asked.startsWith('/') || asked.startsWith('//')) return HOME;
  if (!URL.canParse(asked, origin)) return HOME;
  const url = new URL(asked, origin);
  if (url.origin !== origin || url.pathname.startsWith('//')) return HOME;
  // Back to sign-in would be a circle, and to sign-out a surprise.
  if (/^\/(auth|kernel)(\/|$)/i.test(decoded(url.pathname))) return HOME;
  return `${url.pathname}${url.search}${url.hash}`;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return '/auth';
  }
}
