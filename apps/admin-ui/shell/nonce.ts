import { setNonce } from 'get-nonce';

/** The nonce of this page for style elements (Content-Security-Policy). */
export function styleNonce(): string {
  return document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce ?? '';
}

/** Some packages put style elements into the page themselves, and ask get-nonce. */
export function shareNonce(): void {
  setNonce(styleNonce());
}
