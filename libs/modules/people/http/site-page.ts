import { type Response } from 'express';

/** Nothing but the page's own text; a form may go to us alone, and on from us where the page says. */
const CSP = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

/** Text within HTML, or within an attribute in double quotes. */
export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/**
 * A page of sentences, which needs neither script nor style.
 * @param body HTML whose texts are escaped
 * @param formGoesOnTo origin to which our answer to a form of the page leads: browsers hold the redirect to the policy too
 */
export function sendPage(
  response: Response,
  status: number,
  title: string,
  body: string,
  formGoesOnTo: string | null = null,
): void {
  response
    .status(status)
    .set('Content-Security-Policy', formGoesOnTo === null ? CSP : `${CSP} ${formGoesOnTo}`)
    // Without any referrer, browsers send a form with `Origin: null`, and we take our own Origin alone.
    .set('Referrer-Policy', 'same-origin')
    .set('Cache-Control', 'no-store')
    .type('html')
    .send(
      `<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n` +
        `<meta name="viewport" content="width=device-width, initial-scale=1">\n` +
        `<meta name="color-scheme" content="light dark">\n<title>${escaped(title)}</title>\n</head>\n` +
        `<body>\n<main>\n<h1>${escaped(title)}</h1>\n${body}\n</main>\n</body>\n</html>\n`,
    );
}
