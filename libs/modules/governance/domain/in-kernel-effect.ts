/** Change that an upgrade makes inside the kernel, in the commit that applies it. */
export type InKernelEffect =
  | { kind: 'approver_pool'; version: number }
  | { kind: 'policy'; version: number }
  | { kind: 'signer_rotation'; from: string; to: string }
  | { kind: 'signer_retirement'; kid: string };
