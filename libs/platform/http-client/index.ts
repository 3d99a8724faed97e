/** Requests of this process to others, over kept connections: bounded answers, and an end when the caller wants it. */
export {
  type ClientTls,
  type ExchangeOptions,
  type HttpAnswer,
  HttpClient,
  type HttpClientOptions,
  type HttpRequest,
  type StreamedAnswer,
} from './http-client';
