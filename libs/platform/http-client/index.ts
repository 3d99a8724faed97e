/** Requests of this process to others, over kept connections: with bounded answers, ended when the caller wants. */
export {
  type ClientTls,
  type ExchangeOptions,
  type HttpAnswer,
  HttpClient,
  type HttpClientOptions,
  type HttpRequest,
  type StreamedAnswer,
} from './http-client';
