import { type IncomingMessage } from 'node:http';
import { HttpEdgeError } from './http-edge.error';

/** Half of what the head of a request may have: RFC 9110 section 4.1 asks for at least 8,000 bytes. */
export const MAX_TARGET_BYTES = 8_192;
/** RFC 3986 sections 3.2.2 and 3.2.3: a registered name or an address, and a port. */
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::[0-9]{0,5})?$/;
const ABSOLUTE = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([^#]*)$/;

/**
 * Checks what RFC 9110 and 9112 demand of a request whatever its route, and returns its target in origin-form: path and
 * query; or `*`, for OPTIONS of the whole server. What the parser itself refuses never comes here (raw-refusals.ts).
 *
 * @throws HttpEdgeError `invalid_request`, `uri_too_long`, `misdirected_request`, `expectation_failed`, `not_implemented`,
 *   `http_version_not_supported`
 */
export function originFormOf(request: IncomingMessage): string {
  const { url = '', httpVersionMajor, httpVersionMinor, headers } = request;
  if (httpVersionMajor !== 1) {
    throw new HttpEdgeError('http_version_not_supported', 'This server speaks HTTP/1.1.');
  }
  if (url.length > MAX_TARGET_BYTES) {
    throw new HttpEdgeError(
      'uri_too_long',
      `The target of the request has more than ${MAX_TARGET_BYTES} bytes; send less in it.`,
      { limit: MAX_TARGET_BYTES },
    );
  }
  assertHost(request, httpVersionMinor === 0);
  // RFC 9112 section 6.1: a coding that this server does not have, and one in a version that knows none.
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && httpVersionMinor === 0) {
    throw new HttpEdgeError('invalid_request', 'HTTP/1.0 has no Transfer-Encoding; send Content-Length.');
  }
  if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked') {
    throw new HttpEdgeError('not_implemented', 'The only Transfer-Encoding taken is chunked.');
  }
  // RFC 9110 section 10.1.1.
  if (headers.expect !== undefined && httpVersionMinor > 0 && !expectsContinue(request)) {
    throw new HttpEdgeError('expectation_failed', 'The only expectation that is met is 100-continue.');
  }
  if (url === '*' && request.method === 'OPTIONS') return url;
  return url.startsWith('/') ? url : fromAbsolute(url);
}

/** Whether the client waits for 100 before it sends its body; HTTP/1.0 does not know it. */
export function expectsContinue({ headers, httpVersionMinor }: IncomingMessage): boolean {
  return headers.expect?.trim().toLowerCase() === '100-continue' && httpVersionMinor > 0;
}

/** Exactly one Host, which names a host; in HTTP/1.0 it may be left out (RFC 9112 section 3.2). */
function assertHost({ rawHeaders }: IncomingMessage, mayLack: boolean): void {
  const hosts: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() === 'host') hosts.push(rawHeaders[at + 1] ?? '');
  }
  const [host] = hosts;
  if (host === undefined) {
    if (mayLack) return;
    throw new HttpEdgeError('invalid_request', 'The header Host is missing; send it once.', {
      parameter: 'host',
    });
  }
  if (hosts.length > 1) {
    throw new HttpEdgeError('invalid_request', 'The header Host is there twice; send it once.', {
      parameter: 'host',
    });
  }
  if (!HOST.test(host)) {
    throw new HttpEdgeError('invalid_request', 'The header Host names no host; send host or host:port.', {
      parameter: 'host',
    });
  }
}

/** RFC 9112 section 3.2.2: a server takes the absolute form too, and then leaves Host aside. */
function fromAbsolute(url: string): string {
  const [, scheme, authority = '', rest = ''] = ABSOLUTE.exec(url) ?? [];
  if (scheme === undefined) {
    throw new HttpEdgeError('invalid_request', 'The target of the request is neither a path nor a URL.');
  }
  if (scheme.toLowerCase() !== 'https') {
    throw new HttpEdgeError('misdirected_request', `This server answers https, not ${scheme.slice(0, 20)}.`);
  }
  if (!HOST.test(authority)) {
    throw new HttpEdgeError('invalid_request', 'The target of the request is a URL without a host.');
  }
  return rest.startsWith('/') ? rest : `/${rest}`;
}
