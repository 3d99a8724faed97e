import { json, type RequestHandler } from 'express';
import { type RefusalCode, SigningRefusal } from './refusal';

/** What an operator or a key maker asks for is a few names and a reason. */
const BODY_LIMIT_BYTES = 16 * 1024;

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
 * Express middleware that parses the JSON bodies of the controllers; POST /v1/sign is not theirs (sign/sign-door.ts). It
 * does not inflate: what is asked for here is small, and a small body that unpacks to a large one is nobody's honest need.
 */
export function readJson(): RequestHandler {
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
