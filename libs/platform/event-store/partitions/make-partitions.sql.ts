import { type Database } from '#platform/postgres';
import { type PartitionRoom } from '../event-store.types';

/**
 * Makes the partitions that are due. The function runs with the rights of the schema's owner, decides alone what is due and
 * takes no argument: the kernel's role cannot create anything else with it. @throws PostgresError
 */
export async function makePartitions(database: Database): Promise<void> {
  await database.step({ name: 'kernel_make_partitions', text: 'SELECT kernel.make_partitions()' }, []);
}

/** @throws PostgresError */
export async function partitionRooms(database: Database): Promise<PartitionRoom[]> {
  const rows = await database.query<{ shard: number; room: string; size: string }>(
    `SELECT r.shard, r.room, p.events AS size FROM kernel.partition_room() r, kernel.partitioning p ORDER BY r.shard`,
    [],
  );
  return rows.map(({ shard, room, size }) => ({ shard, room: Number(room), size: Number(size) }));
}
