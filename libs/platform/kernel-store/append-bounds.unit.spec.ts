import { Registry } from 'prom-client';
import { AppendMetrics } from './append.metrics';

describe('the latency of an append', () => {
  it('has a bucket at its objective of 500 ms (docs/slos.md)', async () => {
    const registry = new Registry();
    // What it reports to others plays no part.
    new AppendMetrics(registry, {} as never, {} as never, {} as never);
    expect(await registry.metrics()).toContain('audit_append_duration_seconds_bucket{le="0.5"} 0');
  });
});
