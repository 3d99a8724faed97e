import { json, type RequestHandler } from 'express';
import { MAX_PROXY_BATCH, MAX_SIGNING_INPUT_BYTES } from '#libs/signer';
import { type RefusalCode, SigningRefusal } from '../refusal';

/** A full batch of the largest inputs in base64, with names and punctuation around them. */
const BODY_LIMIT_BYTES = MAX_PROXY_BATCH * (Math.ceil(MAX_SIGNING_INPUT_BYTES / 3) * 4 + 256);

/** What body-parser says of a body it does not take (its errors carry `type`). */
const BODY_ERRORS: Record<string, RefusalCode> = {
  'entity.too.large': 'body_too_large',
  'entity.parse.failed': 'malformed_request',
  'request.size.invalid': 'malformed_request',
  'request.aborted': 'malformed_request',
  'encoding.unsupported': 'malformed_request',
  'charset.unsupported': 'malformed_request',
};

/**
 * Express middleware that parses JSON bodies. It does not inflate: what is signed is small, and a small body that
 * unpacks to a large one is nobody's honest need.
 */
export function readBody(): RequestHandler {
  const parse = json({ limit: BODY_LIMIT_BYTES, inflate: false });
  return (request, response, next) => {
    parse(request, response, (error?: unknown) => {
      if (error === undefined) {
        next();
        return;
      }
      const code = BODY_ERRORS[(error as { type?: string }).type ?? ''];
      next(code ? new SigningRefusal(code, (error as Error).message, {}, { cause: error }) : error);
    });
  };
}
