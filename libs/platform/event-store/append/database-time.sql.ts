import { type Statement } from '#platform/postgres';

/** The server's clock at this moment, not at the start of a transaction; milliseconds since 1970. */
export const DATABASE_TIME: Statement = {
  name: 'kernel_database_time',
  text: 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms',
};

export interface DatabaseTimeRow {
  ms: number;
}
