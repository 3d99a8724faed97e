/** Brings a kernel's database to the schema of this version, or says what that would take. */
import { parseArgs } from 'node:util';
import { EventStoreError } from '#platform/event-store';
import { runApp } from '#platform/process';
import { migrateConfig } from './migrate.config';
import { MigrateUsageError, runMigration } from './run-migration';

runApp({
  name: 'migrate',
  config: migrateConfig,
  explained: [EventStoreError, MigrateUsageError],
  databaseSetting: 'DATABASE_OWNER_URL',
  failureCode: 2,
  logLevel: 'error',
  async start(config) {
    const { json, ...options } = readOptions();
    const { lines, code } = await runMigration(config, options);
    const text = json
      ? JSON.stringify({ origin: config.origin, asNeeded: code === 0, lines })
      : lines.join('\n');
    process.stdout.write(`${text}\n`);
    return code;
  },
});

function readOptions(): { check: boolean; createRoles: boolean; json: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        check: { type: 'boolean', default: false },
        'create-roles': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    return { check: values.check, createRoles: values['create-roles'], json: values.json };
  } catch (error) {
    throw new MigrateUsageError(
      `${(error as Error).message}. It takes --check or --create-roles, and --json.`,
    );
  }
}
