/** Requests of this process to others, over kept connections: bounded answers, and an end when the caller wants it. */
export { type HttpAnswer, HttpClient, type HttpRequest } from './http-client';
