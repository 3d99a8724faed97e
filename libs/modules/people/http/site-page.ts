import { type Response } from 'express';

/** Nothing but the page's own text; a form may go to us alone. */
const CSP = "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** Text within HTML, or within an attribute in double quotes. */
export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** A page of sentences, which needs neither script nor style. @param body HTML whose texts are escaped */
export function sendPage(response: Response, status: number, title: string, body: string): void {
  response
    .status(status)
    .set('Content-Security-Policy', CSP)
    .set('Cache-Control', 'no-store')
    .type('html')
    .send(
      `<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n` +
        `<meta name="viewport" content="width=device-width, initial-scale=1">\n` +
        `<meta name="color-scheme" content="light dark">\n<title>${escaped(title)}</title>\n</head>\n` +
        `<body>\n<main>\n<h1>${escaped(title)}</h1>\n${body}\n</main>\n</body>\n</html>\n`,
    );
}
