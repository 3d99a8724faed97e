/** The `kind` of a statement that says: deploy this. A deploy pipeline that checks signature, digest and kind needs nothing else. */
export const DEPLOYMENT_AUTHORIZATION = 'deployment-authorization';

/** The `kind` of a statement that says: this is, or was, the manifest of that division at that version. */
export const DIVISION_MANIFEST = 'division-manifest';

/** Kinds that mean something to anyone who acts on a signature. Only the kernel's own decisions have them, never a caller's manifest. */
export const KERNEL_KINDS: ReadonlySet<string> = new Set([DEPLOYMENT_AUTHORIZATION, DIVISION_MANIFEST]);
