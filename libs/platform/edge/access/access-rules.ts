import { type IncomingHttpHeaders } from 'node:http';
import { type Socket } from 'node:net';
import { type Scope } from './matrix';
import { type Principal } from './principal';

/** What identification may look at. */
export interface CallingRequest {
  /** With mutual TLS a TLSSocket. */
  readonly socket: object | Socket;
  readonly method?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/**
 * Identifies the caller and decides who may use which route. Each app has its own rules, and each listener of an app may
 * have others; what they do not permit is refused.
 */
export interface AccessRules {
  /** Policies that a route may declare, besides `public`. */
  readonly policies: ReadonlySet<string>;

  /**
   * The caller. Rules that can answer at once do: on the mutual TLS listener nothing waits here.
   * @throws AccessError when the request names no one
   */
  identify(request: CallingRequest): Principal | Promise<Principal>;

  /**
   * What the caller may touch.
   * @throws an error that the app's problem map knows, when the policy does not permit this caller
   */
  permit(principal: Principal, policy: string, request: CallingRequest): Scope | Promise<Scope>;
}
