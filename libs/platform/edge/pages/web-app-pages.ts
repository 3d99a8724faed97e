import { randomBytes } from 'node:crypto';
import { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { HttpEdgeError } from '../http-edge.error';
import { matches } from './static-pages';
import { type BundleFile, type WebBundle } from './web-bundle';

/** What the build writes where each answer has its own value. */
export const NONCE_MARK = '{{nonce}}';

/** First parts of paths that are never pages: the API's, sign-in's and those of the contract (a test holds them to it). */
const NEVER_PAGES: ReadonlySet<string> = new Set(['kernel', 'log', 'auth', 'docs', 'openapi.json']);
/** What browsers and robots ask for by themselves, and which is not there. */
const NOT_A_PAGE = /^(favicon\.ico|robots\.txt|sitemap\.xml|apple-touch-icon.*|\..*)$/;
const ASSETS = 'assets/';
const NONCE_BYTES = 16;
const A_YEAR = 'public, max-age=31536000, immutable';

/** Everything comes from here: no inline script, nothing of others, no frame around it, and styles by nonce. */
function policy(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "worker-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/** A worker is held to the policy of its own script: what judges evidence loads, asks and sends nothing. */
const SCRIPT_POLICY = "default-src 'none'; frame-ancestors 'none'";

/**
 * A web app of one page beside an API: every path that is neither the API's nor a file's is answered with index.html, and
 * the app says what is there. Everyone may read it; it knows nothing until the API answers.
 */
export class WebAppPages {
  private readonly index: readonly string[];
  private readonly compressed = new Map<string, Promise<Buffer>>();

  constructor(private readonly bundle: WebBundle) {
    const html = bundle.files.get('index.html')?.bytes.toString('utf8') ?? '';
    this.index = html.split(NONCE_MARK);
    if (this.index.length < 2) {
      throw new HttpEdgeError('invalid_bundle', `index.html has no place for a nonce (${NONCE_MARK}).`);
    }
  }

  /** Answers what is the app's; the rest goes on to another site of the same listener. */
  before(site: RequestListener): RequestListener {
    return (request, response) => {
      if (!this.answer(request, response)) site(request, response);
    };
  }

  /** @returns false when the request is for someone else @throws HttpEdgeError `method_not_allowed` */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    const path = pathOf(request);
    const file = path === 'index.html' ? undefined : this.bundle.files.get(path);
    if (file === undefined && !isPage(path, request)) return false;
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      throw new HttpEdgeError('method_not_allowed', 'The pages of the admin UI answer GET, HEAD.');
    }
    if (file === undefined) this.sendIndex(request, response);
    else this.sendFile(path, file, request, response);
    return true;
  }

  private sendIndex(request: IncomingMessage, response: ServerResponse): void {
    const nonce = randomBytes(NONCE_BYTES).toString('base64');
    const html = Buffer.from(this.index.join(nonce));
    response.setHeader('Content-Security-Policy', policy(nonce));
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    send(request, response, html);
  }

  private sendFile(path: string, file: BundleFile, request: IncomingMessage, response: ServerResponse): void {
    const zipped = takesGzip(request);
    const tag = `"${file.sha256}${zipped ? '-gzip' : ''}"`;
    response.setHeader('ETag', tag);
    response.setHeader('Vary', 'Accept-Encoding');
    response.setHeader('Cache-Control', path.startsWith(ASSETS) ? A_YEAR : 'no-cache');
    response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
    if (path.endsWith('.js')) response.setHeader('Content-Security-Policy', SCRIPT_POLICY);
    if (matches(request.headers['if-none-match'], tag)) {
      response.statusCode = 304;
      response.end();
      return;
    }
    response.setHeader('Content-Type', file.contentType);
    if (!zipped) {
      send(request, response, file.bytes);
      return;
    }
    response.setHeader('Content-Encoding', 'gzip');
    this.zip(path, file).then(
      (bytes) => send(request, response, bytes),
      () => response.destroy(),
    );
  }

  /** Once for each file. */
  private zip(path: string, { bytes }: BundleFile): Promise<Buffer> {
    const held = this.compressed.get(path) ?? promisify(gzip)(bytes, { level: 9 });
    this.compressed.set(path, held);
    return held;
  }
}

/** A page is asked for by a browser, or by someone who takes anything; an icon or an API call is not. */
function isPage(path: string, { headers }: IncomingMessage): boolean {
  const [first = ''] = path.split('/', 1);
  if (NEVER_PAGES.has(lowered(first)) || NOT_A_PAGE.test(first) || path.startsWith(ASSETS)) return false;
  const { accept } = headers;
  return accept === undefined || /\btext\/(html|\*)|\*\/\*/.test(accept);
}

/** As a route could read it: `/%6bernel` is no page either. */
function lowered(part: string): string {
  try {
    return decodeURIComponent(part).toLowerCase();
  } catch {
    return 'kernel';
  }
}

function pathOf({ url = '/' }: IncomingMessage): string {
  return (url.split('?', 1)[0] ?? '').replace(/^\//, '');
}

function takesGzip({ headers }: IncomingMessage): boolean {
  const header = headers['accept-encoding'];
  return typeof header === 'string' && /(^|,)\s*gzip\s*(?!;\s*q=0(\.0*)?\s*(,|$))(;|,|$)/i.test(header);
}

function send(request: IncomingMessage, response: ServerResponse, bytes: Buffer): void {
  response.setHeader('Content-Length', bytes.length);
  if (request.method === 'HEAD') response.end();
  else response.end(bytes);
}
