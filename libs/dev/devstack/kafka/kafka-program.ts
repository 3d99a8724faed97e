import { accessSync, constants, existsSync, readFileSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { defineConfig, loadConfig, path, text } from '#platform/process';
import { userCache } from '../process/user-cache';

/** scripts/install-kafka.sh fetches the same version. */
export const KAFKA_VERSION = '4.4.0';

/** What Kafka 4 needs (its notable changes, "Java 17"). */
const LEAST_JAVA = 17;

/** The folder of jars that scripts/install-kafka.sh fills: in the user's cache, outside any checkout. */
export function kafkaJars(): string {
  return join(userCache(), `kafka-${KAFKA_VERSION}`);
}

const settings = defineConfig({
  JAVA_HOME: { schema: path().optional(), description: 'The Java to use; default the one on the PATH.' },
  PATH: { schema: text().optional(), description: 'Where programs are.' },
});

/** The program `java`, or null when there is none. */
export function javaProgram(): string | null {
  const { javaHome, path: searched = '' } = loadConfig(settings);
  const folders = [...(javaHome === undefined ? [] : [join(javaHome, 'bin')]), ...searched.split(delimiter)];
  return folders.map((folder) => join(folder, 'java')).find(isExecutable) ?? null;
}

/** Why a real Kafka broker cannot be started here, or null when it can. */
export function kafkaMissing(): string | null {
  if (!existsSync(kafkaJars())) {
    return `Apache Kafka ${KAFKA_VERSION} is not installed (scripts/install-kafka.sh fetches it with Maven)`;
  }
  const java = javaProgram();
  if (java === null) return `java is not installed (Apache Kafka needs Java ${LEAST_JAVA} or newer)`;
  const major = javaMajor(java);
  return major === null || major >= LEAST_JAVA
    ? null
    : `${java} is Java ${major} (Apache Kafka needs Java ${LEAST_JAVA} or newer)`;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Reads the file `release` that every Java since 9 has: asking the program itself takes as long as a small test. */
function javaMajor(java: string): number | null {
  try {
    const release = readFileSync(join(dirname(realpathSync(java)), '..', 'release'), 'utf8');
    const [, major] = /^JAVA_VERSION="(\d+)/m.exec(release) ?? [];
    return major === undefined ? null : Number(major);
  } catch {
    return null;
  }
}
