import { type Alert } from './alert.types';

export const SIGNING_ALERTS: readonly Alert[] = [
  {
    name: 'KernelSigningBackendAway',
    area: 'signing',
    severity: 'page',
    expr: 'max by (backend) (signing_proxy_backend_circuit_open{$scope}) > 0',
    for: '1m',
    summary: 'The signing backend {{ $labels.backend }} fails; nothing is written without it.',
  },
  {
    name: 'KernelSigningBackendErrors',
    area: 'signing',
    severity: 'page',
    expr: 'sum by (backend) (rate(signing_proxy_backend_duration_seconds_count{$scope, outcome=~"failed|timeout|refused"}[5m])) / sum by (backend) (rate(signing_proxy_backend_duration_seconds_count{$scope}[5m])) > 0.05',
    for: '2m',
    summary:
      '{{ $value | humanizePercentage }} of the calls of the signing backend {{ $labels.backend }} fail.',
  },
  {
    name: 'KernelSignerSlow',
    area: 'signing',
    severity: 'ticket',
    expr: 'histogram_quantile(0.95, sum by (backend, le) (rate(signing_proxy_backend_duration_seconds_bucket{$scope, outcome="signed"}[5m]))) > 0.1',
    for: '10m',
    summary:
      'The 95th percentile of the signing backend {{ $labels.backend }} is {{ $value | humanizeDuration }}: half of what a signature may take.',
  },
  {
    name: 'KernelKeyRotationDue',
    area: 'signing',
    severity: 'ticket',
    expr: 'max by (kid) (kernel_key_rotation_due{$scope}) > 0',
    summary: 'The key {{ $labels.kid }} is older than KERNEL_KEY_MAX_AGE_DAYS.',
  },
  {
    name: 'KernelCertificateNotRenewed',
    area: 'signing',
    severity: 'page',
    // cert-manager renews at half of the 48 hours.
    expr: 'min by (component, use, subject) (tls_certificate_expiry_timestamp_seconds{$scope}) - time() < 12 * 3600',
    summary:
      'A certificate of {{ $labels.component }} ({{ $labels.use }}, {{ $labels.subject }}) ends in {{ $value | humanizeDuration }}.',
  },
  {
    name: 'KernelRevocationListEnding',
    area: 'signing',
    severity: 'ticket',
    expr: 'min by (component, use, subject) (tls_revocation_list_expiry_timestamp_seconds{$scope}) - time() < 6 * 3600',
    summary:
      'The revocation list of {{ $labels.subject }} in {{ $labels.component }} ends in {{ $value | humanizeDuration }}; then none of its clients gets a new connection.',
  },
  {
    name: 'KernelTlsFilesRefused',
    area: 'signing',
    severity: 'ticket',
    expr: 'max by (component, use) (tls_files_refused{$scope}) > 0',
    for: '5m',
    summary:
      'New TLS files of {{ $labels.component }} ({{ $labels.use }}) cannot be used; the ones before stay in force.',
  },
  {
    name: 'KernelSecretRefused',
    area: 'signing',
    severity: 'ticket',
    expr: 'max by (component, setting) (secret_file_refused{$scope}) > 0',
    for: '5m',
    summary:
      'The new file of {{ $labels.setting }} of {{ $labels.component }} cannot be used; the value before stays in force.',
  },
  {
    name: 'KernelVaultTokenEnding',
    area: 'signing',
    severity: 'page',
    expr: 'min by (component) (kernel_vault_token_expiry_timestamp_seconds{$scope}) - time() < 900',
    for: '2m',
    summary:
      'The token with which {{ $labels.component }} signs ends in {{ $value | humanizeDuration }} and is not renewed.',
  },
];
