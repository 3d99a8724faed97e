/**
 * KERNEL_ variables that a process may find in its environment without being configured by them.
 * All others that its definition does not have are refused: a misspelt setting must not be ignored.
 */

/** Variables that `./kernel up` writes to `<state>/kernel.env` for shells and the operator's CLI. */
const WRITTEN_FOR_SHELLS = [
  /^KERNEL_(API|WEB|MANAGEMENT|SIGNING_PROXY|LOG)_URL$/,
  /^KERNEL_OIDC_ISSUER$/,
  /^KERNEL_ORIGIN$/,
  /^KERNEL_CA_CERT$/,
  /^KERNEL_(ARCHIVE|ARCHIVE_DIR|STREAM)$/,
  /^KERNEL_(OPERATOR|SUPERADMIN|DIVISION_LEAD|AUDITOR|NOROLE)_(CERT|KEY)$/,
  /^KERNEL_APPROVER_[1-9][0-9]*_(ID|KEY|CERT|TLS_KEY)$/,
];

/**
 * Variables that Kubernetes injects for Services called `kernel` or `kernel-*` (service environment variables,
 * on by default through `enableServiceLinks`).
 */
const INJECTED_BY_KUBERNETES = [
  /^KERNEL(_[A-Z0-9_]+)?_SERVICE_HOST$/,
  /^KERNEL(_[A-Z0-9_]+)?_SERVICE_PORT(_[A-Z0-9_]+)?$/,
  /^KERNEL(_[A-Z0-9_]+)?_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/,
];
const SERVICE_ADDRESS = /^(tcp|udp|sctp):\/\//;

export function isForeignVariable(name: string, value: string): boolean {
  if (WRITTEN_FOR_SHELLS.some((pattern) => pattern.test(name))) return true;
  if (INJECTED_BY_KUBERNETES.some((pattern) => pattern.test(name))) return true;
  return /^KERNEL(_[A-Z0-9_]+)?_PORT$/.test(name) && SERVICE_ADDRESS.test(value);
}
