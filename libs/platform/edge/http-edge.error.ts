import { CodedError } from '#evidence';

/**
 * Refusals of the edge itself, before or instead of a handler, and (the last four) faults that stop a start or a test.
 * Each of the first group is also the word in the problem's `error` member.
 */
export type HttpEdgeErrorCode =
  | 'not_found'
  | 'method_not_allowed'
  | 'invalid_request'
  | 'unsupported_media_type'
  | 'payload_too_large'
  | 'request_aborted'
  | 'overloaded'
  // forms of HTTP itself (RFC 9110, RFC 9112)
  | 'uri_too_long'
  | 'misdirected_request'
  | 'expectation_failed'
  | 'not_implemented'
  | 'http_version_not_supported'
  // the document is missing, is not a valid OpenAPI 3.1 document, or says something that the edge cannot enforce
  | 'invalid_contract'
  // the controllers and the document do not describe the same routes with the same policies
  | 'routes_differ'
  // an answer is not what the document promises
  | 'answer_differs'
  // the files of the admin UI are not there, or not those that were built
  | 'invalid_bundle';

export class HttpEdgeError extends CodedError<HttpEdgeErrorCode> {}
