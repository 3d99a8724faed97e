import { type BrowserContext, type Page } from 'playwright-core';

/** An authenticator of a browser's own (DevTools, domain WebAuthn) whose user is present and verified. */
export const VIRTUAL_AUTHENTICATOR = {
  protocol: 'ctap2',
  ctap2Version: 'ctap2_1',
  transport: 'internal',
  hasResidentKey: true,
  hasUserVerification: true,
  isUserVerified: true,
  automaticPresenceSimulation: true,
} as const;

/** A virtual authenticator in somebody's browser. */
export interface VirtualPasskey {
  /** Says whether it verifies its user from now on. */
  verifies(isUserVerified: boolean): Promise<void>;
  /** Takes it away. */
  remove(): Promise<void>;
}

/**
 * Adds one to a page of somebody's.
 * @param isSynced whether its credentials say that they may be, and are, copied to other devices (BE, BS)
 */
export async function addVirtualPasskey(
  { context, page }: { readonly context: BrowserContext; readonly page: Page },
  { isSynced = false } = {},
): Promise<VirtualPasskey> {
  const debug = await context.newCDPSession(page);
  await debug.send('WebAuthn.enable');
  const { authenticatorId } = await debug.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      ...VIRTUAL_AUTHENTICATOR,
      defaultBackupEligibility: isSynced,
      defaultBackupState: isSynced,
    },
  });
  return {
    verifies: async (isUserVerified) => {
      await debug.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified });
    },
    remove: async () => {
      await debug.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId });
    },
  };
}
