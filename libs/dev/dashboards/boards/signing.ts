import { type Board, of, quantile, quantiles, rate, sumBy, within } from '../board';

const SIGN = ['component="kernel"', 'route="/kernel/sign"', 'method="POST"'];
const PROXY = 'component="signing-proxy"';

export const signing: Board = {
  name: 'signing',
  title: 'Kernel: signing',
  panels: [
    {
      title: 'Requests for a signature',
      unit: 'reqps',
      queries: [{ expr: sumBy('status', rate('http_requests_total', ...SIGN)), legend: '{{status}}' }],
    },
    {
      title: 'Time of a request for a signature',
      unit: 's',
      queries: quantiles('http_request_duration_seconds', ...SIGN),
    },
    {
      title: 'Answered within 200 ms',
      unit: 'percentunit',
      queries: [{ expr: within('0.2', 'http_request_duration_seconds', ...SIGN), legend: 'part of all' }],
    },
    {
      title: 'Signatures that kernels received',
      unit: 'ops',
      queries: [{ expr: sumBy('purpose', rate('signatures_total')), legend: '{{purpose}}' }],
    },
    {
      title: 'Signatures that the proxy made',
      unit: 'ops',
      queries: [
        {
          expr: sumBy('kid, purpose', rate('signing_proxy_signatures_total')),
          legend: '{{kid}} {{purpose}}',
        },
      ],
    },
    {
      title: 'Requests of the proxy (p95)',
      unit: 's',
      queries: [
        { expr: quantile(0.95, 'http_request_duration_seconds', 'route', PROXY), legend: '{{route}}' },
      ],
    },
    {
      title: 'Time of the backend by key (p95)',
      unit: 's',
      queries: [{ expr: quantile(0.95, 'signing_proxy_sign_duration_seconds', 'kid'), legend: '{{kid}}' }],
    },
    {
      title: 'Calls of the backend',
      unit: 'ops',
      queries: [
        {
          expr: sumBy('backend, outcome', rate('signing_proxy_backend_duration_seconds_count')),
          legend: '{{backend}} {{outcome}}',
        },
      ],
    },
    {
      title: 'Inputs that are being signed',
      description: 'The queue of the signer; it refuses more than 4,096.',
      unit: 'short',
      queries: [{ expr: sumBy('instance', of('signing_proxy_inputs_in_progress')), legend: '{{instance}}' }],
    },
    {
      title: 'Inputs in a request',
      unit: 'short',
      queries: [
        {
          expr: `${sumBy('', rate('signing_proxy_batch_size_sum'))} / ${sumBy('', rate('signing_proxy_batch_size_count'))}`,
          legend: 'mean',
        },
      ],
    },
    {
      title: 'Circuit of the backend',
      description: '1 while a backend that failed several times in a row is not asked.',
      unit: 'short',
      queries: [
        { expr: `max by (backend) (${of('signing_proxy_backend_circuit_open')})`, legend: '{{backend}}' },
      ],
    },
    {
      title: 'Refusals',
      unit: 'ops',
      queries: [
        {
          expr: sumBy('reason', rate('signing_proxy_refusals_total')),
          legend: '{{reason}}',
          quiet: 'nothing is refused',
        },
      ],
    },
    {
      title: 'Age of keys',
      unit: 's',
      queries: [{ expr: `max by (kid) (${of('kernel_key_age_seconds')})`, legend: '{{kid}}' }],
    },
    {
      title: 'Until the Vault token ends',
      unit: 's',
      queries: [
        {
          expr: `min by (instance) (${of('kernel_vault_token_expiry_timestamp_seconds')}) - time()`,
          legend: '{{instance}}',
          quiet: 'keys of another backend, or a token without an end',
        },
      ],
    },
    {
      title: 'High-water mark',
      unit: 'short',
      queries: [
        { expr: `max by (shard) (${of('signing_proxy_high_water_mark')})`, legend: 'shard {{shard}}' },
      ],
    },
  ],
};
