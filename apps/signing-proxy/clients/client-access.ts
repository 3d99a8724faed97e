import { type TLSSocket } from 'node:tls';
import {
  type AccessRules,
  type CallingRequest,
  declarePolicy,
  type Principal,
  principalOf,
  RoleBindings,
  type Scope,
} from '#platform/edge';
import { SigningRefusal } from '../refusal';
import { type SigningProxyOptions } from '../signing-proxy.options';

/**
 * - `signatures.ask`: every client that the handshake admits. What it may have signed is decided for each input, since what a
 *   stranger wanted signed belongs in the log.
 * - `keys.make`: the key makers.
 * - `restore-windows.open`: the operators.
 */
const POLICIES = ['signatures.ask', 'keys.make', 'restore-windows.open'] as const;
type ProxyPolicy = (typeof POLICIES)[number];

/** Admits the clients that the policy names to the route. */
export const Permits = (policy: ProxyPolicy): MethodDecorator => declarePolicy(policy);

/** No client has a role here: what counts is the common name. */
const NO_ROLES = new RoleBindings([]);

/** The proxy's rules: lists of common names in its configuration. */
export class ClientAccess implements AccessRules {
  readonly policies: ReadonlySet<string> = new Set(POLICIES);

  constructor(private readonly options: Pick<SigningProxyOptions, 'keyMakers' | 'operators'>) {}

  identify({ socket }: Pick<CallingRequest, 'socket'>): Principal {
    return principalOf(socket as TLSSocket, NO_ROLES);
  }

  /** @throws SigningRefusal `client_not_permitted` */
  permit({ commonName }: Principal, policy: string): Scope {
    const { keyMakers = [], operators = [] } = this.options;
    if (policy === 'signatures.ask') return 'all';
    const [named, what] =
      policy === 'keys.make'
        ? [keyMakers, 'have keys made: KERNEL_SIGNING_KEY_MAKERS does not name it']
        : [operators, 'open a restore window'];
    if (commonName !== undefined && named.includes(commonName)) return 'all';
    throw new SigningRefusal('client_not_permitted', `Client "${commonName}" may not ${what}`);
  }
}
