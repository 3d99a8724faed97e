import { createHash } from 'node:crypto';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { HttpEdgeError } from '../http-edge.error';

export interface StaticPage {
  readonly contentType: string;
  readonly content: () => string | Buffer;
  /** Replaces the header that every answer has, which lets a page load nothing. */
  readonly contentSecurityPolicy?: string;
}

interface HeldPage extends StaticPage {
  readonly bytes: Buffer;
  readonly tag: string;
}

/**
 * A few files for everyone with a connection, beside the operations of the document. Held in memory from the first request
 * on; revalidated by their tag (RFC 9110 section 13).
 */
export class StaticPages {
  private readonly held = new Map<string, HeldPage>();

  /** @param pages by path */
  constructor(private readonly pages: ReadonlyMap<string, StaticPage>) {}

  /** @returns false when there is no such page @throws HttpEdgeError `method_not_allowed` */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const page = this.pages.get(path);
    if (page === undefined) return false;
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      throw new HttpEdgeError('method_not_allowed', 'This page answers GET, HEAD.');
    }
    const { bytes, tag, contentType, contentSecurityPolicy } = this.hold(path, page);
    response.setHeader('ETag', tag);
    response.setHeader('Cache-Control', 'no-cache');
    if (contentSecurityPolicy !== undefined) {
      response.setHeader('Content-Security-Policy', contentSecurityPolicy);
    }
    if (matches(request.headers['if-none-match'], tag)) {
      response.statusCode = 304;
      response.end();
      return true;
    }
    response.setHeader('Content-Type', contentType);
    response.setHeader('Content-Length', bytes.length);
    response.end(bytes);
    return true;
  }

  private hold(path: string, page: StaticPage): HeldPage {
    const known = this.held.get(path);
    if (known !== undefined) return known;
    const bytes = Buffer.from(page.content());
    const tag = `"${createHash('sha256').update(bytes).digest('base64url')}"`;
    const held = { ...page, bytes, tag };
    this.held.set(path, held);
    return held;
  }
}

/** RFC 9110 section 13.1.2, by weak comparison. */
export function matches(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  return header.trim() === '*' || header.split(',').some((one) => one.trim().replace(/^W\//, '') === tag);
}
