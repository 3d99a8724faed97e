/** Requests of this process to others, over kept connections: with bounded answers, ended when the caller wants. */
export { AddressError, AddressPolicy } from './address-policy';
export { type ClientTls, type HttpAnswer, HttpClient, type HttpRequest } from './http-client';
export { type BoundedFetch, boundedFetch } from './bounded-fetch';
