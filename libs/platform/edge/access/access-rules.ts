import { type TLSSocket } from 'node:tls';
import { type Scope } from './matrix';
import { type Principal } from './principal';

/**
 * Identifies the caller and decides who may use which route. Each app has its own rules; what they do not permit is
 * refused.
 */
export interface AccessRules {
  /** Policies that a route may declare, besides `public`. */
  readonly policies: ReadonlySet<string>;

  /** @throws AccessError when the certificate of the connection names no one */
  identify(socket: TLSSocket): Principal;

  /**
   * What the caller may touch.
   * @throws an error that the app's problem map knows, when the policy does not permit this caller
   */
  permit(principal: Principal, policy: string): Scope | Promise<Scope>;
}
