import { type DataSource } from 'typeorm';

export interface ListedPartition {
  readonly shard: number;
  readonly name: string;
  readonly fromSeq: number;
  /** The last position that it has room for. */
  readonly toSeq: number;
  /** `kept`: what the kernel decides by, of partitions that were detached. */
  readonly state: 'full' | 'written' | 'ahead' | 'kept';
  /** On disk, with its indexes. */
  readonly bytes: number;
}

/** The partitions of every shard, oldest first. For a role that may read the catalogue and the heads. */
export async function listPartitions(dataSource: DataSource): Promise<ListedPartition[]> {
  const rows = await dataSource.query<
    {
      shard: number;
      name: string;
      from_seq: string;
      to_seq: string;
      head: string;
      below: string;
      bytes: string;
    }[]
  >(
    `SELECT p.shard, p.name, p.from_seq, p.to_seq, h.seq AS head, kernel.attached_from(p.shard) AS below,
            pg_total_relation_size(to_regclass('kernel.' || quote_ident(p.name))) AS bytes
     FROM kernel.partitions p JOIN kernel.shard_head h ON h.shard = p.shard ORDER BY p.shard, p.from_seq`,
  );
  return rows.map(({ shard, name, from_seq, to_seq, head, below, bytes }) => {
    const [fromSeq, toSeq, end] = [Number(from_seq), Number(to_seq) - 1, Number(head)];
    let state: ListedPartition['state'] = toSeq <= end ? 'full' : 'written';
    if (fromSeq < Number(below)) state = 'kept';
    else if (fromSeq > end + 1) state = 'ahead';
    return { shard, name, fromSeq, toSeq, state, bytes: Number(bytes) };
  });
}
