import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workTree } from '#dev/testing';
import { KAFKA_VERSION, kafkaJars } from './kafka-program';

describe('the Kafka program', () => {
  it('is looked for where the script puts it, in the version that the script fetches', () => {
    const script = readFileSync(join(workTree(), 'scripts', 'install-kafka.sh'), 'utf8');
    expect(/^version=(.+)$/m.exec(script)?.[1]).toBe(KAFKA_VERSION);
    expect(script).toContain('/user-cache.sh"\ntarget=$cache/kafka-$version');
    expect(kafkaJars()).toMatch(
      new RegExp(`/illuvrse-kernel/kafka-${KAFKA_VERSION.replaceAll('.', '\\.')}$`),
    );
  });
});
