import { type Pool } from 'pg';
import { type DataSource } from 'typeorm';
import { Gauge, processRegistry, type Registry } from '#platform/process';
import { poolOf, readersWaiting } from './database';

const watched = new WeakMap<Registry, Map<string, Pool>>();

/**
 * Shows at each scrape how busy a pool of connections is. Nothing is asked of the server.
 * @param name as the label `pool`: a word of this code; a pool that is opened again takes the place of the one before
 */
export function watchPool(
  name: string,
  source: Pool | DataSource,
  registry: Registry = processRegistry,
): void {
  let pools = watched.get(registry);
  if (pools === undefined) {
    pools = new Map();
    watched.set(registry, pools);
    makeGauges(pools, registry);
  }
  pools.set(name, 'driver' in source ? poolOf(source) : source);
}

function makeGauges(pools: Map<string, Pool>, registry: Registry): void {
  const registers = [registry];
  const collectInto = (gauge: Gauge, value: (pool: Pool) => number): void => {
    gauge.reset();
    for (const [name, pool] of pools) {
      if (pool.ended) pools.delete(name);
      else gauge.set({ pool: name }, value(pool));
    }
  };
  new Gauge({
    name: 'kernel_postgres_pool_size',
    help: 'Most connections to PostgreSQL that this pool opens.',
    labelNames: ['pool'],
    registers,
    collect() {
      collectInto(this, ({ options }) => options.max);
    },
  });
  new Gauge({
    name: 'kernel_postgres_pool_in_use',
    help: 'Connections of this pool that somebody uses now.',
    labelNames: ['pool'],
    registers,
    collect() {
      collectInto(this, ({ totalCount, idleCount }) => totalCount - idleCount);
    },
  });
  new Gauge({
    name: 'kernel_postgres_pool_waiting',
    help: 'Who waits for a connection of this pool, readers that wait for their turn included.',
    labelNames: ['pool'],
    registers,
    collect() {
      collectInto(this, (pool) => pool.waitingCount + readersWaiting(pool));
    },
  });
}
