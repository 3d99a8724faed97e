import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type TLSSocket } from 'node:tls';
import { Injectable } from '@nestjs/common';
import { BodyBudget, HttpEdgeError, type HttpEdgeErrorCode, readBody } from '#platform/edge';
import { MAX_PROXY_BATCH, MAX_SIGNING_INPUT_BYTES } from '#platform/signer';
import { clientName } from '../clients/client-name';
import { ProblemFilter } from '../problem.filter';
import { type RefusalCode, SigningRefusal } from '../refusal';
import { BatchSigner } from './batch-signer';

/** A full batch of the largest inputs in base64, with names and punctuation around them. */
const BODY_LIMIT_BYTES = MAX_PROXY_BATCH * (Math.ceil(MAX_SIGNING_INPUT_BYTES / 3) * 4 + 256);
/** Bodies that are being read, together: many times what may be in progress at once. */
const HELD_BODIES_BYTES = 64 * 1024 * 1024;

const JSON_IN_UTF8 = /^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i;

const BODY_REFUSALS: Partial<Record<HttpEdgeErrorCode, RefusalCode>> = {
  payload_too_large: 'body_too_large',
  overloaded: 'overloaded',
  request_aborted: 'malformed_request',
};

/**
 * Serves POST /v1/sign before Express and Nest's router see it: of a request with a few inputs these cost as much as its
 * signatures. Everything else goes to the controllers.
 */
@Injectable()
export class SignDoor {
  private readonly budget = new BodyBudget(HELD_BODIES_BYTES);

  constructor(
    private readonly signer: BatchSigner,
    private readonly problems: ProblemFilter,
  ) {}

  /** False when the request is for somebody else. */
  opened(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.method !== 'POST' || request.url !== '/v1/sign') return false;
    this.sign(request, response).catch((error: unknown) => this.problems.answer(error, request, response));
    return true;
  }

  private async sign(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await this.readRequest(request);
    const signatures = await this.signer.sign(clientName(request.socket as TLSSocket), body);
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.end(JSON.stringify({ signatures }));
  }

  /** Does not inflate: what is signed is small, and a small body that unpacks to a large one is nobody's honest need. */
  private async readRequest(request: IncomingMessage): Promise<unknown> {
    const account = { bodyBytes: 0 };
    try {
      const bytes = await readBody(request, BODY_LIMIT_BYTES, this.budget, account);
      const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = request.headers;
      if (!JSON_IN_UTF8.test(type) || encoding !== 'identity') {
        throw new SigningRefusal('malformed_request', 'The body has to be JSON in UTF-8, not compressed');
      }
      return JSON.parse(bytes.toString()) as unknown;
    } catch (error) {
      throw refusalOf(error);
    } finally {
      this.budget.give(account.bodyBytes);
    }
  }
}

function refusalOf(error: unknown): unknown {
  const code =
    error instanceof SyntaxError
      ? 'malformed_request'
      : error instanceof HttpEdgeError
        ? BODY_REFUSALS[error.code]
        : undefined;
  return code === undefined
    ? error
    : new SigningRefusal(code, (error as Error).message, {}, { cause: error });
}
