/** The operator's commands behind ./kernel, the development stack among them. */
import { outputFailed, watchOutput } from './output/watched-output';
import { runCli } from './program';

watchOutput();
// Not process.exit: what was written to a pipe must still arrive there.
void runCli(process.argv.slice(2)).then((code) => {
  process.exitCode = code === 0 && outputFailed() ? 1 : code;
});
